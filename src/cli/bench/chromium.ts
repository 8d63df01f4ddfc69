/** `--in chromium`: the benchmark in a page of a Chromium without a window. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { WgslBenchmarkOptions, WgslBenchmarkRun } from '../../benchmark/wgsl/benchmark.ts';
import { AdapterError } from '../../gpu/errors.ts';
import type { AdapterChoice } from '../../platform/adapter.ts';
import { chromiumLaunch } from '../../platform/node/chromium.ts';
import { packageFile } from '../../platform/node/package-files.ts';
import { OptionError } from '../options/option.ts';
import type { PageGlobals } from './page.ts';

/** WebGPU exists on secure pages only, which localhost is. Nothing listens there: the page is given by hand. */
const ADDRESS = 'http://localhost/';

/**
 * @param adapter auto takes a graphics card that Chromium offers, else SwiftShader
 * @param program a Chromium; by default npm's @sparticuz/chromium or an installed one
 * @throws OptionError, AdapterError; otherwise the errors of `benchmarkWgsl`, as errors of the same name
 */
export async function benchmarkInChromium(
  options: WgslBenchmarkOptions,
  adapter: AdapterChoice,
  program: string | undefined,
): Promise<WgslBenchmarkRun & { readonly browser: string }> {
  if (adapter === 'lavapipe')
    throw new OptionError(
      '--adapter lavapipe: Chromium computes on a graphics card or on SwiftShader; choose gpu or swiftshader',
    );
  if (adapter !== 'auto') return runOn(options, adapter, program);
  try {
    return await runOn(options, 'gpu', program);
  } catch (error) {
    if (!(error instanceof AdapterError)) throw error;
    return runOn(options, 'swiftshader', program);
  }
}

async function runOn(
  { onProgress, ...options }: WgslBenchmarkOptions,
  adapter: 'gpu' | 'swiftshader',
  program: string | undefined,
): Promise<WgslBenchmarkRun & { readonly browser: string }> {
  const { chromium } = await import('playwright-core').catch((cause: unknown) => {
    throw new OptionError('--in chromium needs the package playwright-core: npm install playwright-core', { cause });
  });
  onProgress?.(`start Chromium (${adapter})`);
  const browser = await chromium.launch(
    chromiumLaunch({ adapter, asShipped: true, ...(program !== undefined && { program }) }),
  );
  try {
    const page = await browser.newPage();
    await page.route('**/*', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>benchmark</title>' }),
    );
    await page.goto(ADDRESS);
    await page.addScriptTag({ content: await pageScript(), type: 'module' });
    await page.waitForFunction('globalThis.benchmark !== undefined');
    onProgress?.('time the kernels in Chromium');
    const { run, error } = await page.evaluate(
      (given) => (globalThis as unknown as PageGlobals).benchmark(given),
      options,
    );
    if (run !== undefined) {
      if (adapter === 'gpu' && run.result.adapter.kind === 'cpu')
        throw new AdapterError(
          `--adapter gpu was requested, but Chromium offers ${run.result.adapter.description || run.result.adapter.device} only`,
        );
      return { ...run, browser: `Chromium ${browser.version()}` };
    }
    const { name, message } = error as { name: string; message: string };
    throw name === 'AdapterError' ? new AdapterError(message) : Object.assign(new Error(message), { name });
  } finally {
    await browser.close();
  }
}

/** In the package it has been built; the repository builds it when it is asked for. */
async function pageScript(): Promise<string> {
  if (!import.meta.url.endsWith('.ts')) return readFile(packageFile('dist/web/benchmark.js'), 'utf8');
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('./page.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  return outputFiles[0].text;
}
