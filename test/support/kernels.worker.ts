// Runs in the browser, in a worker: a share of the kernels' cases, by the same checks as in Node.
import type { AnyKernel } from '../../kernels/kernel.ts';
import { openDevice } from '../../src/platform/browser/adapter.ts';
import { ALL_KERNELS } from '../../kernels/index.ts';
import { checkKernelCase } from './kernel-case.ts';

/** The cases of these kernels whose number leaves this remainder are checked here. */
export interface KernelShare {
  readonly kernels: readonly string[];
  readonly remainder: number;
  readonly of: number;
}

export interface KernelFindings {
  readonly adapter: string;
  readonly checked: readonly {
    readonly kernel: string;
    readonly index: number;
    readonly variants: readonly string[];
    readonly milliseconds: number;
  }[];
  readonly failures: readonly string[];
  /** Kernels of which the adapter offers no variant. */
  readonly missing: readonly string[];
}

globalThis.onmessage = async ({ data: { kernels, remainder, of } }: MessageEvent<KernelShare>): Promise<void> => {
  const device = await openDevice();
  const failures: string[] = [];
  const missing: string[] = [];
  const checked: KernelFindings['checked'][number][] = [];
  const cases = (ALL_KERNELS as readonly AnyKernel[])
    .filter(({ name }) => kernels.includes(name))
    .flatMap((kernel) => kernel.cases.map((_, index) => ({ kernel, index })));
  for (const { kernel, index } of cases.filter((_, number) => number % of === remainder)) {
    if (kernel.calls(kernel.cases[index] as never, device.traits).length === 0) {
      missing.push(kernel.name);
      continue;
    }
    const start = performance.now();
    try {
      const variants = await checkKernelCase(device, kernel, index);
      checked.push({ kernel: kernel.name, index, variants, milliseconds: performance.now() - start });
    } catch (error) {
      failures.push(`${kernel.name}, case ${index}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  globalThis.postMessage({
    adapter: Object.values(device.description).filter(Boolean).join(' '),
    checked,
    failures,
    missing,
  } satisfies KernelFindings);
  device.dispose();
};
