// Exact search in workers of a page, with memory that they share and without.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { openExactSearch as OpenExactSearch } from '../../src/platform/browser/exact-search.ts';
import { ExactSearch } from '../../src/retrieval/exact/exact-search.ts';
import type { RankedItem } from '../../src/retrieval/ranking.ts';
import { launchChromium } from '../support/chromium.ts';
import { uniformNumbers } from '../support/uniform-numbers.ts';
import { openPage, serve } from '../support/web-page.ts';

const MODULE = fileURLToPath(new URL('../../src/platform/browser/exact-search.ts', import.meta.url));
const DIMENSION = 6;

const bundle = async (source: string): Promise<string> => {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: '/' },
    bundle: true,
    format: 'esm',
    write: false,
  });
  return outputFiles[0].text;
};

test('workers of a page give the bits of one search in Node', async () => {
  const uniform = uniformNumbers(5);
  const values = (rows: number): number[] => Array.from({ length: rows * DIMENSION }, () => Math.round(2 * uniform()));
  const [gallery, queries] = [values(301), values(3)];
  const one = new ExactSearch(Float32Array.from(gallery), DIMENSION);
  const expected = one.searchAll(Float32Array.from(queries), 12);
  const expectedOdd = one.searchAll(Float32Array.from(queries), 12, (row) => row % 2 === 1);
  const content = {
    'index.html': '<!doctype html><script type="module" src="main.js"></script>',
    'main.js': await bundle(`export * from ${JSON.stringify(MODULE)};`),
    'worker.js': await bundle(`import { serveExactSearch } from ${JSON.stringify(MODULE)}; serveExactSearch();`),
  };
  const browser = await launchChromium({ webgpu: false });
  try {
    for (const isolated of [false, true]) {
      const site = await serve(content, (_, response) => {
        if (isolated) {
          response.setHeader('cross-origin-opener-policy', 'same-origin');
          response.setHeader('cross-origin-embedder-policy', 'require-corp');
        }
        return false;
      });
      const { page } = await openPage(browser, site.address);
      const answer = await page.evaluate(
        async ([rows, wanted, dimension]) => {
          const { openExactSearch } = (await import('./main.js' as string)) as {
            openExactSearch: typeof OpenExactSearch;
          };
          const shared = globalThis.crossOriginIsolated;
          const memory = shared ? new SharedArrayBuffer(4 * rows.length) : new ArrayBuffer(4 * rows.length);
          const values = new Float32Array(memory);
          values.set(rows);
          const search = await openExactSearch(values, dimension, {
            threads: 2,
            worker: () => new Worker('worker.js', { type: 'module' }),
          });
          const found = await search.searchAll(Float32Array.from(wanted), 12);
          const mask = Uint8Array.from({ length: 301 }, (_, row) => row % 2);
          const odd = await search.searchAll(Float32Array.from(wanted), 12, mask);
          const error = await search.search(new Float32Array(1), 1).catch((cause: unknown) => String(cause));
          const late = search.searchAll(Float32Array.from(wanted), 12).catch((cause: unknown) => String(cause));
          await search.close();
          return { shared, found, odd, error, late: await late };
        },
        [gallery, queries, DIMENSION] as const,
      );
      assert.is(answer.shared, isolated);
      assert.equal(answer.found as RankedItem[][], expected);
      assert.equal(answer.odd as RankedItem[][], expectedOdd);
      assert.match(String(answer.error), /one query of 6 values/);
      assert.match(String(answer.late), /closed/);
      await site.close();
    }
  } finally {
    await browser.close();
  }
});

test.run();
