// What it costs in recall to hold vectors in fewer bytes, against the exact search of f32:
//   npx tsx scripts/trials/vector-storage.ts [ROWS] [DIMENSION] [INDEX]
// INDEX is an index whose vectors are searched in place of rows around 1,000 centers; every hundredth one is a query.
import { clusteredRows } from '../../bench/support/clustered-rows.ts';
import { readIndex } from '../../src/platform/node/read-index.ts';
import { textTable } from '../../src/cli/display/text-table.ts';
import { encode, fitBinaryCoder } from '../../src/retrieval/binary-codes.ts';
import { rankCodes } from '../../src/retrieval/evaluate.ts';
import { ExactSearch } from '../../src/retrieval/exact/exact-search.ts';
import { storeVectors } from '../../src/retrieval/exact/stored-vectors.ts';
import { rerank } from '../../src/retrieval/rerank.ts';

const K = 10;
const QUERIES = 100;
const BITS = 64;
const FITTED_ON = 10_000;
const [rows = '100000', components = '128', file] = process.argv.slice(2);
const index = file === undefined ? undefined : await readIndex(file);
const dimension = index?.dimension ?? Number(components);
const gallery = index?.embeddings ?? clusteredRows(Number(rows), dimension, 0);
const count = gallery.length / dimension;
const queries =
  index === undefined
    ? clusteredRows(QUERIES, dimension, 1)
    : Float32Array.from({ length: QUERIES * dimension }, (_, i) => {
        const row = Math.floor((Math.floor(i / dimension) * count) / QUERIES);
        return gallery[row * dimension + (i % dimension)];
      });
const queryOf = (query: number): Float32Array => queries.subarray(query * dimension, (query + 1) * dimension);

const exact = new ExactSearch(gallery, dimension);
const expected = exact.searchAll(queries, K);
const lines: string[][] = [];
function measure(
  name: string,
  bytes: number,
  search: (query: Float32Array) => readonly { index: number; score: number }[],
): void {
  let found = 0;
  let error = 0;
  const start = process.cpuUsage();
  for (let query = 0; query < QUERIES; query++) {
    const scores = new Map(expected[query].map(({ index: row, score }) => [row, score]));
    for (const { index: row, score } of search(queryOf(query))) {
      const true_ = scores.get(row);
      if (true_ === undefined) continue;
      found++;
      error = Math.max(error, Math.abs(score - true_));
    }
  }
  const { user, system } = process.cpuUsage(start);
  lines.push([
    name,
    String(bytes),
    (found / (K * QUERIES)).toFixed(4),
    error.toExponential(1),
    ((user + system) / 1000 / QUERIES).toFixed(2),
  ]);
}

const copies = dimension + 8;
const halves = new ExactSearch(storeVectors(gallery, dimension, 'f16') as Uint16Array, dimension);
const alone = new ExactSearch(gallery, dimension, { rescore: false });
const { coder } = fitBinaryCoder(gallery.slice(0, FITTED_ON * dimension), dimension, { bits: BITS });
const codes = encode(coder, gallery);
measure('f32', 4 * dimension + copies, (query) => exact.search(query, K));
measure('f16', 2 * dimension + copies, (query) => halves.search(query, K));
measure('int8', copies, (query) => alone.search(query, K));
for (const candidates of [100, 1000, 10_000])
  measure(`64-bit codes, the best ${candidates} again`, BITS / 8 + 4 * dimension, (query) => {
    const nearest = rankCodes(encode(coder, query), codes, candidates).map(({ index: row }) => row);
    return rerank(query, gallery, dimension, nearest, K);
  });
console.log(`${count} x ${dimension}, ${QUERIES} queries\n`);
console.log(
  textTable(['held as', 'bytes a row', `recall@${K}`, 'error of a cosine', 'ms of processor time a query'], lines),
);
