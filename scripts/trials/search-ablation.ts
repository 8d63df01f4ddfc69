// What each source of data and each loss of the search model brings: one training for each row and seed, all from the
// demo's start checkpoint, measured on the unseen classes.
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
  /** Whether the knowledge that `TEACHER` has of the classes is preserved. */
  readonly hasTeacher?: boolean;
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
/** What every training starts from: a network that has seen pictures alone, and no unseen class. */
const START = join(root, 'models/emoji-start.safetensors');

const ROWS: readonly Row[] = [
  { name: 'all sources, all losses', options: all },
  { name: 'without icons', options: only('emoji', 'drawings', 'simulated') },
  { name: "without people's drawings", options: only('emoji', 'icons', 'simulated'), drawings: false },
  { name: 'without simulated sketches', options: only('emoji', 'icons', 'drawings') },
  { name: 'without emoji', options: only('icons', 'drawings', 'simulated') },
  { name: 'without the classification loss', options: [...all, '--loss-classification', '0'] },
  { name: 'without the contrastive loss', options: [...all, '--loss-contrastive', '0'] },
  { name: 'without the quadruplet loss', options: [...all, '--loss-quadruplet', '0'] },
  { name: 'with knowledge preservation', options: [...all, '--loss-preservation', '1'], hasTeacher: true },
];

/** A teacher's logits have to be a linear function of its features, which those of a cosine classifier are not. */
const TEACHER: Row = { name: 'teacher', options: [...all, '--classifier', 'linear'] };

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

const measured = new Map<string, Report[]>([
  ['the start, not trained further', [await measurement(START, join(values.out, 'start.json'))]],
]);
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
  if (!existsSync(model)) {
    const begun = existsSync(join(folder, 'log.jsonl'));
    const teacher = row.hasTeacher === true ? ['--teacher', await teacherFile()] : [];
    const words = begun
      ? ['--resume', folder]
      : [
          ...['--config', join(root, 'configs/trials/search-ablation.json'), '--weights', START],
          ...[...row.options, ...teacher, '--seed', String(seed), '--out', folder],
        ];
    run('src/cli/main.ts', 'train', ...words, ...drawings, '--adapter', values.adapter);
    if (!existsSync(model)) throw new Error(`${folder}: the training has not ended; the same command goes on with it`);
  }
  return measurement(model, json);
}

async function teacherFile(): Promise<string> {
  await measurementOf(TEACHER, 1);
  return join(folderOf(TEACHER, 1), 'model.safetensors');
}

async function measurement(model: string, json: string): Promise<Report> {
  if (!existsSync(json)) {
    const sketchy = values.sketchy === undefined ? [] : ['--sketchy', values.sketchy];
    const words = ['--model', model, '--quickdraw', quickdraw as string, ...sketchy];
    run('scripts/measure-search-model.ts', ...words, '--json', json, '--adapter', values.adapter);
  }
  return JSON.parse(await readFile(json, 'utf8')) as Report;
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
  if (samples.length === 1) return mean.toFixed(3);
  return `${mean.toFixed(3)} ± ${Math.sqrt(squares / (samples.length - 1)).toFixed(3)}`;
}
