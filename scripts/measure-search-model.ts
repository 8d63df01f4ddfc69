// Measures a search model on the emoji classes that no training source may name: by the data set's own sketches, and by
// people's drawings of the same things, which are only measured on.
//
//   npx tsx scripts/measure-search-model.ts [--model models/search.safetensors] [--adapter lavapipe] [--sketchy DIR] [--quickdraw DIR] [--settings] [--json FILE]
//
// --sketchy: the SAKE archive's folder (256x256/sketch/...). --quickdraw: a folder of simplified drawings,
// <word>.ndjson. With --settings the classes set aside for the choice of settings are measured, which is what recipes
// are chosen by.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseDrawing } from '../datasets/drawings.ts';
import { loadEmoji } from '../datasets/emoji.ts';
import { unseenClassesOf } from '../datasets/held-out.ts';
import { nounOf } from '../datasets/nouns.ts';
import { readModelFile, searchModelPath } from '../src/cli/files/model-file.ts';
import { textTable } from '../src/cli/display/text-table.ts';
import type { Dataset, Sample } from '../src/data/dataset.ts';
import { drawStrokes, fitStrokes } from '../src/data/strokes.ts';
import { ensureAdapter, openDevice, releaseGpu, type AdapterChoice } from '../src/platform/adapter.ts';
import { decodeSketch } from '../src/platform/node/images.ts';
import { cosineRows } from '../src/retrieval/cosine.ts';
import { averagePrecision } from '../src/retrieval/metrics.ts';
import { Ranker } from '../src/retrieval/ranking.ts';
import { modelEmbeddings } from '../src/models/image-rows.ts';
import { openRetrievalModel } from '../src/models/retrieval-model.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    adapter: { type: 'string', default: 'auto' },
    sketchy: { type: 'string' },
    quickdraw: { type: 'string' },
    settings: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
/** Pen width of QuickDraw's strokes, as a share of the side. */
const PEN = 8 / 256;

interface Query {
  readonly sample: Sample;
  /** Classes of the gallery that are right answers. */
  readonly relevant: readonly string[];
  readonly read: (size: number) => Promise<Uint8Array>;
}

interface Measured {
  readonly queries: number;
  readonly mapAll: number;
  readonly precisionAt1: number;
  readonly hitAt10: number;
}

await ensureAdapter(values.adapter as AdapterChoice);
const device = await openDevice('auto', { unsafe: true });
const path = searchModelPath(values.model);
const file = await readModelFile(path, '--model');
const model = openRetrievalModel(device, file, path);
const dataset = await loadEmoji({ size: model.imageSize, measureOn: values.settings ? 'settings' : 'unseen' });
const embeddings = await modelEmbeddings(model);
const gallery = await embeddings.compute(dataset.gallery, dataset.images);

/** Classes of the gallery that a word names. */
const namedBy = (word: string): readonly string[] =>
  values.settings ? dataset.unseenClasses.filter((name) => nounOf(name) === nounOf(word)) : unseenClassesOf(word);

const sets: [name: string, queries: readonly Query[]][] = [
  [
    "emoji's own sketches",
    dataset.queries.map((sample) => ({
      sample,
      relevant: [sample.className],
      read: (size: number) => dataset.images.read(sample, size),
    })),
  ],
];
if (values.sketchy !== undefined) {
  sets.push(["Sketchy's sketches", await sketchyQueries(values.sketchy)]);
  sets.push(["Sketchy's, cut to their ink", await sketchyQueries(values.sketchy, true)]);
}
if (values.quickdraw !== undefined) sets.push(["QuickDraw's drawings", await drawingQueries(values.quickdraw)]);

const report: Record<string, { all: Measured; classes: Record<string, Measured> }> = {};
for (const [name, queries] of sets) {
  if (queries.length === 0) continue;
  const byName = new Map(queries.map((query) => [query.sample.name, query]));
  const images: Dataset['images'] = { read: (sample, size) => (byName.get(sample.name) as Query).read(size) };
  const embedded = await embeddings.compute(
    queries.map(({ sample }) => sample),
    images,
  );
  const ranks = ranksOf(queries, embedded);
  const classes = [...new Set(queries.map(({ sample }) => sample.className))];
  report[name] = {
    all: measure(ranks),
    classes: Object.fromEntries(
      classes.map((className) => [
        className,
        measure(ranks.filter((_, index) => queries[index].sample.className === className)),
      ]),
    ),
  };
}
const row = (name: string, { queries, mapAll, precisionAt1, hitAt10 }: Measured): string[] => [
  name,
  String(queries),
  ...[mapAll, precisionAt1, hitAt10].map((value) => value.toFixed(4)),
];
console.log(
  `${path}: ${dataset.gallery.length} pictures of ${dataset.unseenClasses.length} ${values.settings ? 'classes set aside' : 'unseen classes'}, ${device.description.device}`,
);
console.log(
  textTable(
    ['', 'queries', 'mAP@all', 'P@1', 'hit@10'],
    Object.entries(report).map(([name, { all }]) => row(name, all)),
  ),
);
for (const [name, { classes }] of Object.entries(report).slice(1))
  console.log(
    textTable(
      [name, 'queries', 'mAP@all', 'P@1', 'hit@10'],
      Object.entries(classes)
        .sort()
        .map(([className, all]) => row(className, all)),
    ),
  );
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 1)}\n`);
embeddings.destroy();
model.storage.destroy();
device.dispose();
releaseGpu();

/** For each query the ranks of its right answers, rising, the best being 1. */
function ranksOf(queries: readonly Query[], embedded: Float32Array): Uint32Array[] {
  const ranker = new Ranker();
  const rows = cosineRows({ queries: embedded, gallery, dimension: embeddings.width });
  return Array.from(rows, (scores, index) => {
    const relevant = [...dataset.gallery.keys()].filter((item) =>
      queries[index].relevant.includes(dataset.gallery[item].className),
    );
    return ranker.rank(scores, Uint32Array.from(relevant)).slice();
  });
}

/** SAKE's average precision, with the envelope (docs/evaluation.md). */
function measure(ranks: readonly Uint32Array[]): Measured {
  const mean = (value: (ranks: Uint32Array) => number): number =>
    ranks.reduce((sum, own) => sum + value(own), 0) / ranks.length;
  return {
    queries: ranks.length,
    mapAll: mean((own) => averagePrecision(own, dataset.gallery.length, own.length)),
    precisionAt1: mean(([first]) => Number(first === 1)),
    hitAt10: mean(([first]) => Number(first <= 10)),
  };
}

/** @param fitted whether sketches are cut to their ink, as they are where a model says so */
async function sketchyQueries(root: string, fitted = false): Promise<Query[]> {
  const folder = join(root, '256x256/sketch/tx_000000000000_ready');
  const queries: Query[] = [];
  for (const className of (await readdir(folder)).sort()) {
    const relevant = namedBy(className);
    if (relevant.length === 0) continue;
    for (const name of (await readdir(join(folder, className))).sort()) {
      const picture = join(folder, className, name);
      queries.push({
        sample: { domain: 'sketch', className, name: picture },
        relevant,
        read: (size) => decodeSketch(picture, size, fitted ? 'fitted' : 'whole'),
      });
    }
  }
  return queries;
}

async function drawingQueries(folder: string): Promise<Query[]> {
  const queries: Query[] = [];
  for (const name of (await readdir(folder)).filter((one) => one.endsWith('.ndjson')).sort()) {
    const className = name.slice(0, -'.ndjson'.length);
    const relevant = namedBy(className);
    if (relevant.length === 0) continue;
    const lines = (await readFile(join(folder, name), 'utf8')).split('\n').filter((line) => line.trim() !== '');
    for (const { key, strokes } of lines.slice(0, 25).map(parseDrawing)) {
      const points = strokes.map(([x, y]) => x.flatMap((value, index) => [value, y[index]]));
      queries.push({
        sample: { domain: 'sketch', className, name: `${className}/${key}` },
        relevant,
        read: async (size) => drawStrokes(fitStrokes(points, PEN), PEN, size),
      });
    }
  }
  return queries;
}
