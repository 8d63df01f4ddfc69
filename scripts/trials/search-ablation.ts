// What each source of data and each loss of the search model brings: one training for each row and seed, measured on the
// unseen classes.
//
//   npx tsx scripts/trials/search-ablation.ts --quickdraw DIR [--sketchy DIR] [--seeds 1,2,3] [--adapter lavapipe] [--out runs/search-ablation]
//
// The same command goes on where it was stopped. It writes ablation.json and ablation.md into the folder: mean and
// standard deviation over the seeds.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    quickdraw: { type: 'string' },
    sketchy: { type: 'string' },
    seeds: { type: 'string', default: '1,2,3' },
    adapter: { type: 'string', default: 'auto' },
    out: { type: 'string', default: 'runs/search-ablation' },
  },
});
const root = fileURLToPath(new URL('../..', import.meta.url));
const { quickdraw } = values;
if (quickdraw === undefined)
  throw new Error(
    "--quickdraw DIR is needed, the folder of QuickDraw's simplified drawings: npx sketchgrad data how quickdraw",
  );

interface Row {
  readonly name: string;
  /** Options beside those of the configuration. */
  readonly options: readonly string[];
  /** Whether people's drawings are among the sources. */
  readonly drawings?: boolean;
}

/** Weights of the sources in the draw, of those that are there. */
const only = (...sources: string[]): string[] => [
  '--sources',
  sources.join(','),
  '--source-weights',
  ['drawings=4', 'emoji=2', 'icons=1', 'simulated=1'].filter((one) => sources.includes(one.split('=')[0])).join(','),
  '--source-repeats',
  ['drawings=4', 'emoji=2', 'icons=1'].filter((one) => sources.includes(one.split('=')[0])).join(','),
];
const all = only('emoji', 'icons', 'drawings', 'simulated');
const KNOWLEDGE = 'knowledge.safetensors';

const ROWS: readonly Row[] = [
  { name: 'all sources, all losses', options: all },
  { name: 'without icons', options: only('emoji', 'drawings', 'simulated') },
  { name: "without people's drawings", options: only('emoji', 'icons', 'simulated'), drawings: false },
  { name: 'without simulated sketches', options: only('emoji', 'icons', 'drawings') },
  { name: 'without emoji', options: only('icons', 'drawings', 'simulated') },
  { name: 'emoji alone', options: only('emoji'), drawings: false },
  { name: 'without the classification loss', options: [...all, '--loss-classification', '0'] },
  { name: 'without the contrastive loss', options: [...all, '--loss-contrastive', '0'] },
  { name: 'without the quadruplet loss', options: [...all, '--loss-quadruplet', '0'] },
  {
    name: 'classification alone',
    options: [...all, '--loss-contrastive', '0', '--loss-quadruplet', '0'],
  },
  { name: 'with knowledge preservation', options: [...all, '--knowledge', KNOWLEDGE] },
];

/** What is measured of a set of queries. */
interface Measured {
  readonly mapAll: number;
  readonly precisionAt1: number;
  readonly hitAt10: number;
}
type Report = Record<string, { readonly all: Measured }>;

const seeds = values.seeds.split(',').map(Number);
await mkdir(values.out, { recursive: true });
const folderOf = (row: Row, seed: number): string =>
  join(values.out, `${row.name.replaceAll(/[^a-z]+/g, '-')}-${seed}`);

const measured = new Map<string, Report[]>();
for (const seed of seeds)
  for (const row of ROWS) measured.set(row.name, [...(measured.get(row.name) ?? []), await measurementOf(row, seed)]);
const columns: [set: string, value: keyof Measured, title: string][] = [
  ["emoji's own sketches", 'mapAll', "emoji's own: mAP@all"],
  ["emoji's own sketches", 'precisionAt1', 'P@1'],
  ["Sketchy's, cut to their ink", 'hitAt10', "Sketchy's, cut: hit@10"],
  ["QuickDraw's drawings", 'hitAt10', "QuickDraw's: hit@10"],
  ["QuickDraw's drawings", 'mapAll', 'mAP@all'],
];
const present = columns.filter(([set]) => [...measured.values()].flat().every((report) => set in report));
const table = [
  `| | ${present.map(([, , title]) => title).join(' | ')} |`,
  `|---|${present.map(() => '---:').join('|')}|`,
  ...[...measured].map(
    ([name, reports]) =>
      `| ${name} | ${present.map(([set, value]) => spread(reports.map((report) => report[set].all[value]))).join(' | ')} |`,
  ),
].join('\n');
await writeFile(join(values.out, 'ablation.md'), `${table}\n`);
await writeFile(
  join(values.out, 'ablation.json'),
  `${JSON.stringify({ seeds, rows: Object.fromEntries(measured) }, null, 1)}\n`,
);
console.log(table);

async function measurementOf(row: Row, seed: number): Promise<Report> {
  const folder = folderOf(row, seed);
  const model = join(folder, 'model.safetensors');
  const json = `${folder}.json`;
  const drawings = row.drawings === false ? [] : ['--quickdraw', quickdraw as string];
  const knowledge = join(values.out, KNOWLEDGE);
  if (row.options.includes(KNOWLEDGE) && !existsSync(knowledge)) await distilled(knowledge, drawings);
  if (!existsSync(model)) {
    const begun = existsSync(join(folder, 'log.jsonl'));
    const options = row.options.map((one) => (one === KNOWLEDGE ? knowledge : one));
    const words = begun
      ? ['--resume', folder]
      : [
          '--config',
          join(root, 'configs/trials/search-ablation.json'),
          ...options,
          '--seed',
          String(seed),
          '--out',
          folder,
        ];
    run('src/cli/main.ts', 'train', ...words, ...drawings, '--adapter', values.adapter);
    if (!existsSync(model)) throw new Error(`${folder}: the training has not ended; the same command goes on with it`);
  }
  if (!existsSync(json)) {
    const sets = [
      '--quickdraw',
      quickdraw as string,
      ...(values.sketchy === undefined ? [] : ['--sketchy', values.sketchy]),
    ];
    run('scripts/measure-search-model.ts', '--model', model, ...sets, '--json', json, '--adapter', values.adapter);
  }
  return JSON.parse(await readFile(json, 'utf8')) as Report;
}

/** The teacher is a network of the same kind, trained by classification alone with the first seed: it knows the seen classes. */
async function distilled(out: string, drawings: readonly string[]): Promise<void> {
  const teacher = ROWS.find(({ name }) => name === 'classification alone') as Row;
  await measurementOf(teacher, 1);
  const weights = join(folderOf(teacher, 1), 'model.safetensors');
  run(
    'src/cli/main.ts',
    'distill',
    ...['--data', 'search', '--size', '32', '--width', '0.25', '--weights', weights, '--out', out],
    ...drawings,
    ...['--adapter', values.adapter],
  );
}

/** Runs a program of this repository and ends with it where it fails. */
function run(program: string, ...words: string[]): void {
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', join(root, program), ...words], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

/** Mean and sample standard deviation. */
function spread(samples: readonly number[]): string {
  const mean = samples.reduce((sum, one) => sum + one, 0) / samples.length;
  const squares = samples.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  return `${mean.toFixed(3)} ± ${Math.sqrt(squares / Math.max(1, samples.length - 1)).toFixed(3)}`;
}
