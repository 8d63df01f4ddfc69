// Kernels in the browser: all variants that its adapter offers, of all cases, against the references in float64.
import type { AnyKernel } from '../../kernels/kernel.ts';
import * as assert from 'uvu/assert';
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import type { StorageType } from '../../kernels/contract/storage-type.ts';
import { ALL_KERNELS } from '../../kernels/index.ts';
import { launchChromium } from './chromium.ts';
import { serve } from './web-page.ts';
import type { KernelFindings } from './kernels.worker.ts';

/** The continuous integration has two cores. */
const WORKERS = 2;

/**
 * The suites of test/web that share the kernels; each is a browser of its own, so that they run side by side and none
 * takes minutes.
 */
const FAMILIES = {
  convolution: /^convolution$/,
  statistics: /^convolution_statistics/,
  'data gradient': /^convolution_data/,
  'weight gradient': /^convolution_weight/,
  other: /^(?!convolution)/,
} as const;

/** Checks every kernel of a family in Chromium. */
export async function checkKernelsInChromium(family: keyof typeof FAMILIES): Promise<void> {
  const kernels = (ALL_KERNELS as readonly AnyKernel[]).filter(({ name }) => FAMILIES[family].test(name));
  assert.ok(kernels.length > 0);
  for (const { name } of ALL_KERNELS as readonly AnyKernel[])
    assert.is(Object.values(FAMILIES).filter((pattern) => pattern.test(name)).length, 1, `${name} is in one family`);
  const worker = await build({
    entryPoints: [fileURLToPath(new URL('kernels.worker.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  const site = await serve({
    'index.html': '<!doctype html><html lang="en"><title>kernels</title>',
    'worker.js': worker.outputFiles[0].text,
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage({ locale: 'en-US' });
    await page.goto(site.address);
    const shares = await page.evaluate(
      ({ workers, names }) =>
        Promise.all(
          Array.from({ length: workers }, (_, remainder) => {
            const thread = new Worker('worker.js', { type: 'module' });
            return new Promise<KernelFindings>((resolve, reject) => {
              thread.onmessage = ({ data }) => resolve(data as KernelFindings);
              thread.onerror = ({ message }) => reject(new Error(message));
              thread.postMessage({ kernels: names, remainder, of: workers });
            });
          }),
        ),
      { workers: WORKERS, names: kernels.map(({ name }) => name) },
    );
    assert.equal(
      shares.flatMap(({ failures }) => failures),
      [],
    );
    const checked = shares.flatMap((share) => share.checked);
    // SwiftShader has no 16-bit floats.
    const cases = kernels.flatMap((kernel) =>
      kernel.cases.map((problem) => ({
        kernel: kernel.name,
        halves: (problem as StorageType).type === 'f16',
      })),
    );
    const named = (list: readonly { readonly kernel: string }[]): string[] => list.map(({ kernel }) => kernel).sort();
    assert.equal(shares.flatMap(({ missing }) => missing).sort(), named(cases.filter(({ halves }) => halves)));
    assert.equal(named(checked), named(cases.filter(({ halves }) => !halves)));
    for (const { adapter } of shares) assert.match(adapter, /swiftshader/i);
    console.log(
      `${shares[0].adapter}: ${new Set(named(checked)).size} kernels, ${checked.length} cases, ${checked.reduce((sum, { variants }) => sum + variants.length, 0)} variants of them`,
    );
    const slowest = [...checked].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, 5);
    for (const { kernel, index, milliseconds } of slowest)
      console.log(`  ${(milliseconds / 1000).toFixed(1).padStart(5)} s  ${kernel}, case ${index}`);
  } finally {
    await browser.close();
    await site.close();
  }
}
