/** Runs in a page: the same benchmark, on the browser's adapter. A bundle of its own (chromium.ts). */
import { benchmarkWgsl, type WgslBenchmarkOptions, type WgslBenchmarkRun } from '../../benchmark/wgsl/benchmark.ts';
import { openDevice } from '../../platform/browser/adapter.ts';

/** The run, or the error by its name and message: errors lose their class on the way out of a page. */
export interface PageAnswer {
  readonly run?: WgslBenchmarkRun;
  readonly error?: { readonly name: string; readonly message: string };
}

export interface PageGlobals {
  benchmark(options: WgslBenchmarkOptions): Promise<PageAnswer>;
}

(globalThis as unknown as PageGlobals).benchmark = async (options) => {
  try {
    const device = await openDevice();
    try {
      return { run: await benchmarkWgsl(device, options) };
    } finally {
      device.dispose();
    }
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    return { error: { name, message } };
  }
};
