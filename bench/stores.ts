// npm run bench:stores: recall and latency of the vector stores that run without a server, beside the exact one.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { textTable } from '../src/cli/display/text-table.ts';
import type { PictureFilter } from '../src/retrieval/picture-filter.ts';
import { openStore } from '../src/stores/open-store.ts';
import { batches, type StoredPicture, type VectorStore } from '../src/stores/store.ts';
import { clusteredRows } from './support/clustered-rows.ts';
import { mistakesByName } from './support/mistakes.ts';
import { positiveInteger } from './support/options.ts';
import { median } from '../src/benchmark/statistics.ts';

const USAGE = `npm run bench:stores -- [options]
  Loads rows around 1,000 centres into stores and searches for the 10 nearest, of all rows and of a tenth.

  --stores LIST    addresses, separated by commas (exact,lance:NEW); lance:NEW is a new folder, and postgres://... or
                   qdrant:http://... must have no collection named by # yet
  --rows N         (10000)
  --dimension N    (128)
  --queries N      (100)
  --help`;

const FLAGS = {
  stores: { type: 'string', default: 'exact,lance:NEW' },
  rows: { type: 'string', default: '10000' },
  dimension: { type: 'string', default: '128' },
  queries: { type: 'string', default: '100' },
  help: { type: 'boolean' },
} as const;

const K = 10;
const BATCH = 5000;
const TENTH: PictureFilter = { folders: ['album/3'] };

await mistakesByName(async () => {
  const { values } = parseArgs({ options: FLAGS });
  if (values.help === true) return console.log(USAGE);
  const [count, dimension, queryCount] = (['rows', 'dimension', 'queries'] as const).map((name) =>
    positiveInteger(name, values[name]),
  );
  const folder = mkdtempSync(path.join(tmpdir(), 'sketchgrad-stores-'));
  const content = { modelChecksum: 'b'.repeat(64), dimension };
  const vectors = rowsOf(clusteredRows(count, dimension, 0), dimension);
  const queries = rowsOf(clusteredRows(queryCount, dimension, 1), dimension);
  const pictures = vectors.map((vector, row): StoredPicture => {
    return { path: `album/${row % 10}/${row}.png`, size: 1, time: 1, digest: '0'.repeat(64), vector };
  });
  try {
    const exact = await openStore('exact', content);
    await exact.add(pictures);
    const expected = await Promise.all(
      [{}, TENTH].map(async (filter) => Promise.all(queries.map((query) => exact.search(query, K, filter)))),
    );
    const lines: string[][] = [];
    for (const address of values.stores.split(',')) {
      const store = await openStore(address.replace(/^lance:NEW$/, `lance:${folder}`), content);
      const loading = performance.now();
      for (const batch of batches(pictures, BATCH)) await store.add(batch);
      const indexing = performance.now();
      await store.flush();
      const ready = performance.now();
      const cells = [address.replace(/:.*/, ''), seconds(indexing - loading), seconds(ready - indexing)];
      for (const [place, filter] of [{}, TENTH].entries()) {
        const { recall, milliseconds } = await searchAll(store, queries, filter, expected[place]);
        cells.push(recall.toFixed(4), median(milliseconds).toFixed(2));
      }
      lines.push(cells);
      await store.close();
    }
    const headings = ['store', 'add, s', 'flush, s', 'recall@10', 'ms', 'recall@10, a tenth', 'ms'];
    console.log(`${count} x ${dimension}, ${queryCount} queries, medians\n${textTable(headings, lines)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function searchAll(
  store: VectorStore,
  queries: readonly Float32Array[],
  filter: PictureFilter,
  expected: readonly (readonly { readonly path: string }[])[],
): Promise<{ readonly recall: number; readonly milliseconds: number[] }> {
  const milliseconds: number[] = [];
  let found = 0;
  for (const [place, query] of queries.entries()) {
    const start = performance.now();
    const hits = await store.search(query, K, filter);
    milliseconds.push(performance.now() - start);
    const nearest = new Set(expected[place].map(({ path: name }) => name));
    found += hits.filter(({ path: name }) => nearest.has(name)).length;
  }
  return { recall: found / (K * queries.length), milliseconds };
}

function rowsOf(values: Float32Array, dimension: number): Float32Array[] {
  // Each in memory of its own: some clients copy a view's whole buffer.
  return Array.from({ length: values.length / dimension }, (_, row) =>
    Float32Array.from(values.subarray(row * dimension, (row + 1) * dimension)),
  );
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(2);
}
