// npm run bench:search: exact search by ours in threads, in plain JavaScript and on a device, beside faiss' flat index.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { textTable } from '../src/cli/display/text-table.ts';
import { ADAPTER_CHOICES, openDevice, releaseGpu } from '../src/platform/adapter.ts';
import { median } from '../src/benchmark/statistics.ts';
import { mistakesByName } from './support/mistakes.ts';
import { adapterChoice, positiveInteger, positiveIntegers } from './support/options.ts';
import { circumstances, describeCircumstances } from './support/report.ts';
import { clusteredRows, writeRows } from './support/clustered-rows.ts';
import { deviceSearcher, exactSearcher, faissSearcher, type Searcher } from './support/searchers.ts';

const USAGE = `npm run bench:search -- [options]
  Searches galleries for the 10 nearest rows of one query and of several together, by each searcher alternately, and
  checks that all find the same rows. faiss runs where /usr/bin/python3 (or PYTHON) has it.

  --rows LIST         sizes of galleries (10000,100000,1000000); 10000000 takes 5 GB for each copy of the vectors, see --without
  --dimension N       (128)
  --together N        queries that are searched together (64)
  --rounds N          (9)
  --without LIST      searchers that are left out: threads1, threads2, javascript, device, faiss
  --adapter NAME      ${ADAPTER_CHOICES.join(', ')} (auto)
  --json FILE         everything measured
  --help`;

const FLAGS = {
  rows: { type: 'string', default: '10000,100000,1000000' },
  dimension: { type: 'string', default: '128' },
  together: { type: 'string', default: '64' },
  rounds: { type: 'string', default: '9' },
  without: { type: 'string', default: '' },
  adapter: { type: 'string', default: 'auto' },
  json: { type: 'string' },
  help: { type: 'boolean' },
} as const;

const K = 10;
/** Products of one search by plain JavaScript above which it is left out: about 10 seconds. */
const MOST_JAVASCRIPT_PRODUCTS = 3e9;
/** Of each searcher before it is timed: whichever comes first. */
const WARM_UP_RUNS = 20;
const WARM_UP_MILLISECONDS = 3000;

interface Timing {
  readonly rows: number;
  readonly queries: number;
  readonly searcher: string;
  readonly milliseconds: readonly number[];
}

await mistakesByName(async () => {
  const { values } = parseArgs({ options: FLAGS });
  if (values.help === true) return console.log(USAGE);
  const [dimension, together, rounds] = (['dimension', 'together', 'rounds'] as const).map((name) =>
    positiveInteger(name, values[name]),
  );
  const without = new Set(values.without.split(','));
  const device = await openDevice(adapterChoice(values.adapter), { unsafe: true });
  const conditions = circumstances(device, 'bench:search');
  const folder = mkdtempSync(path.join(tmpdir(), 'sketchgrad-search-'));
  const timings: Timing[] = [];
  const preparation: { rows: number; searcher: string; seconds: number }[] = [];
  try {
    for (const rows of positiveIntegers('rows', values.rows)) {
      const gallery = clusteredRows(rows, dimension, 0);
      const queries = clusteredRows(together, dimension, 1);
      const files = { gallery: path.join(folder, 'gallery'), queries: path.join(folder, 'queries') };
      if (!without.has('faiss')) {
        writeRows(files.gallery, gallery);
        writeRows(files.queries, queries);
      }
      const openers: Record<string, () => Promise<Searcher | undefined>> = {
        threads1: () => exactSearcher('ours, 1 thread', gallery, dimension, { threads: 1 }),
        threads2: () => exactSearcher('ours, 2 threads', gallery, dimension, { threads: 2 }),
        javascript: () => exactSearcher('ours, plain JavaScript', gallery, dimension, { threads: 1, simd: false }),
        device: () => deviceSearcher('ours, on the device', device, gallery, dimension, K),
        faiss: () => faissSearcher(files.gallery, files.queries, dimension, K),
      };
      const searchers: Searcher[] = [];
      try {
        for (const [name, open] of Object.entries(openers)) {
          if (without.has(name) || (name === 'javascript' && rows * dimension > MOST_JAVASCRIPT_PRODUCTS)) continue;
          const start = performance.now();
          const searcher = await open();
          if (searcher === undefined) continue;
          searchers.push(searcher);
          preparation.push({ rows, searcher: searcher.name, seconds: (performance.now() - start) / 1000 });
        }
        for (const count of [1, together]) {
          const taking = searchers.filter(
            ({ name }) => !name.endsWith('JavaScript') || rows * dimension * count <= MOST_JAVASCRIPT_PRODUCTS,
          );
          timings.push(...(await timeAlternately(taking, rows, queries.subarray(0, count * dimension), count, rounds)));
        }
      } finally {
        for (const searcher of searchers) await searcher.close();
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
    device.dispose();
    releaseGpu();
  }
  if (values.json !== undefined)
    writeFileSync(
      values.json,
      `${JSON.stringify({ format: 'sketchgrad bench search 1', ...conditions, dimension, k: K, timings, preparation })}\n`,
    );
  console.log(
    `${describeCircumstances(conditions)}\n\n${table(timings, dimension)}\n\n${preparationTable(preparation)}`,
  );
});

/** A B C, C B A, ...: a drift of the machine favours none. */
async function timeAlternately(
  searchers: readonly Searcher[],
  rows: number,
  queries: Float32Array,
  count: number,
  rounds: number,
): Promise<Timing[]> {
  const milliseconds = searchers.map((): number[] => []);
  const found = new Map<string, string>();
  for (const searcher of searchers) await warmUp(searcher, queries, count);
  for (let round = 0; round < rounds; round++) {
    const order = [...searchers.keys()];
    if (round % 2 === 1) order.reverse();
    for (const place of order) {
      const { items, milliseconds: taken } = await searchers[place].search(queries, count, K);
      milliseconds[place].push(taken);
      // As a set: float32 sums of neighbours may differ from float64's in their order.
      found.set(searchers[place].name, [...items].sort((a, b) => a - b).join(' '));
    }
  }
  const answers = new Set(found.values());
  if (answers.size > 1)
    console.error(`${rows} rows: searchers found different rows: ${JSON.stringify(Object.fromEntries(found))}`);
  return searchers.map(({ name }, place) => ({
    rows,
    queries: count,
    searcher: name,
    milliseconds: milliseconds[place],
  }));
}

/** JavaScript is compiled in steps as it runs: a search takes several times as long before the last of them. */
async function warmUp(searcher: Searcher, queries: Float32Array, count: number): Promise<void> {
  const start = performance.now();
  for (let run = 0; run < WARM_UP_RUNS && performance.now() - start < WARM_UP_MILLISECONDS; run++)
    await searcher.search(queries, count, K);
}

function shown(milliseconds: number): string {
  return milliseconds.toPrecision(3);
}

function table(timings: readonly Timing[], dimension: number): string {
  const faissOf = ({ rows, queries }: Timing): number => {
    const times = timings
      .filter((other) => other.rows === rows && other.queries === queries && other.searcher.startsWith('faiss'))
      .map(({ milliseconds }) => median(milliseconds));
    return Math.min(...times);
  };
  return textTable(
    ['gallery', 'queries', 'searcher', 'ms, median', 'least - most', "in terms of faiss'"],
    timings.map((timing) => {
      const least = Math.min(...timing.milliseconds);
      const most = Math.max(...timing.milliseconds);
      const faiss = faissOf(timing);
      return [
        `${timing.rows} x ${dimension}`,
        String(timing.queries),
        timing.searcher,
        shown(median(timing.milliseconds)),
        `${shown(least)} - ${shown(most)}`,
        Number.isFinite(faiss) ? (median(timing.milliseconds) / faiss).toFixed(2) : '',
      ];
    }),
  );
}

function preparationTable(
  preparation: readonly { readonly rows: number; readonly searcher: string; readonly seconds: number }[],
): string {
  return textTable(
    ['gallery', 'searcher', 'preparation, s'],
    preparation.map(({ rows, searcher, seconds }) => [String(rows), searcher, seconds.toFixed(2)]),
  );
}
