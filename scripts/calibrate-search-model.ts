// Writes a trained model as the shipped one: its embedding whitened (src/retrieval/whitening.ts), weights as 16-bit
// floats, without what only a training needs, and with the similarity below which the best answer of a search means
// nothing. It says that sketches are to be cut to their ink, as all drawings of the search data are, and that an image is
// embedded with its mirror image.
//
//   npx tsx scripts/calibrate-search-model.ts MODEL OUT --quickdraw DIR [--whitened] [--adapter lavapipe]
//
// --whitened leaves the embedding as it is: for a model that this has written already.
//
// People's drawings of trained words search the pictures that were trained on, once with those of their own class and
// once without. The cut-off keeps nine of ten right first answers; what share of drawings without a right answer passes
// it is written beside it. No unseen class takes part.
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { loadSearchData } from '../datasets/search.ts';
import type { Sample } from '../src/data/dataset.ts';
import { ensureAdapter, openDevice, releaseGpu, type AdapterChoice } from '../src/platform/adapter.ts';
import { cosineRows } from '../src/retrieval/cosine.ts';
import { modelEmbeddings, modelRows } from '../src/models/image-rows.ts';
import { parseModel, serializeModel, type Json, type ModelFile } from '../src/models/model-file.ts';
import { openRetrievalModel, readModelDescription } from '../src/models/retrieval-model.ts';
import { whitenEmbedding } from '../src/retrieval/whitening.ts';

const {
  values,
  positionals: [source, target],
} = parseArgs({
  allowPositionals: true,
  options: {
    quickdraw: { type: 'string' },
    whitened: { type: 'boolean', default: false },
    adapter: { type: 'string', default: 'auto' },
  },
});
if (source === undefined || target === undefined || values.quickdraw === undefined)
  throw new Error('give the trained model, the file to write and --quickdraw DIR');
/** Share of right first answers that the cut-off keeps. */
const KEPT = 0.9;
/** Drawings of each word. */
const PER_WORD = 25;
/** Images of each class, domain and source that the embedding is whitened by. */
const PER_KIND = 6;

await ensureAdapter(values.adapter as AdapterChoice);
const device = await openDevice('auto', { unsafe: true });
const read = await parseModel(await readFile(source), source);
const trained: ModelFile = { ...read, about: { ...read.about, views: 'mirrored' } };
const dataset = await loadSearchData({
  size: readModelDescription(trained, source).imageSize,
  drawings: values.quickdraw,
  drawingsPerWord: PER_WORD,
});
if (!values.whitened) await whiten();
const model = openRetrievalModel(device, trained, source);
const queries = dataset.train.filter(({ source: from }) => from === 'drawings');
const gallery = dataset.train.filter(({ domain }) => domain === 'photo');
const rows = await modelEmbeddings(model);
const scores = cosineRows({
  queries: await rows.compute(queries, dataset.images),
  gallery: await rows.compute(gallery, dataset.images),
  dimension: rows.width,
});

const right: number[] = [];
const nothing: number[] = [];
let index = 0;
for (const own of scores) {
  const { className } = queries[index++];
  let [best, others] = [-Infinity, -Infinity];
  own.forEach((score, item) => {
    if (gallery[item].className === className) best = Math.max(best, score);
    else others = Math.max(others, score);
  });
  if (best > others) right.push(best);
  nothing.push(others);
}
rows.destroy();
model.storage.destroy();
device.dispose();
releaseGpu();

/**
 * Whitens the embedding of `trained`, in place. The rows of a cosine classifier become the mean embeddings of their
 * classes, since the components of an embedding are others then.
 */
async function whiten(): Promise<void> {
  const samples = someOfEach(dataset.train.filter(({ source: from }) => from !== 'simulated'));
  const classes = trained.about.classes as readonly string[];
  const before = openRetrievalModel(device, trained, source);
  const features = await modelRows(before, (outputs) => outputs.features);
  const labels = samples.map(({ className }) => classes.indexOf(className));
  const values = await features.compute(samples, dataset.images);
  features.destroy();
  before.storage.destroy();
  const tensor = (name: string): Float32Array => {
    const found = trained.state.get(name);
    if (found === undefined) throw new Error(`${source} has no ${name}`);
    return found.values;
  };
  const layer = whitenEmbedding({ weight: tensor('embedding.weight'), bias: tensor('embedding.bias') }, values, labels);
  tensor('embedding.weight').set(layer.weight);
  tensor('embedding.bias').set(layer.bias);

  const whitened = openRetrievalModel(device, trained, source);
  const rows = await modelEmbeddings(whitened);
  const embeddings = await rows.compute(samples, dataset.images);
  const means = new Float32Array(classes.length * rows.width);
  labels.forEach((label, row) => {
    for (let i = 0; i < rows.width; i++) means[label * rows.width + i] += embeddings[row * rows.width + i];
  });
  tensor('classifier.weight').set(means);
  rows.destroy();
  whitened.storage.destroy();
}

/** The first images of each class, domain and source. */
function someOfEach(samples: readonly Sample[]): Sample[] {
  const counts = new Map<string, number>();
  return samples.filter(({ className, domain, source: from }) => {
    const key = [className, domain, from].join();
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return count <= PER_KIND;
  });
}

/** The share of values that are at least this, of values in ascending order. */
const share = (ascending: readonly number[], least: number): number => {
  const first = ascending.findIndex((value) => value >= least);
  return first < 0 ? 0 : (ascending.length - first) / ascending.length;
};
right.sort((a, b) => a - b);
nothing.sort((a, b) => a - b);
const cutOff = right[Math.floor((1 - KEPT) * right.length)];
const similarity = {
  nothing: Number(cutOff.toFixed(3)),
  rightKept: Number(share(right, cutOff).toFixed(3)),
  othersPassed: Number(share(nothing, cutOff).toFixed(3)),
};
console.log(
  `${queries.length} drawings search ${gallery.length} pictures: the first answer is right for ${right.length}. Cut-off ${similarity.nothing}: ${(100 * similarity.rightKept).toFixed(0)} % of right first answers are kept; ${(100 * similarity.othersPassed).toFixed(0)} % of drawings without a right answer pass`,
);

const { kind, imageSize, pixels, views, network, classes, unseenClasses, settings } = trained.about;
const bytes = await serializeModel(
  {
    state: trained.state,
    about: {
      kind,
      imageSize,
      ...(pixels !== undefined && { pixels }),
      sketches: 'fitted',
      views,
      network,
      classes,
      unseenClasses,
      settings,
      similarity,
    } as Record<string, Json>,
  },
  'F16',
);
await writeFile(target, bytes);
console.log(`${target}: ${bytes.length} bytes, checksum ${(await parseModel(bytes, target)).checksum}`);
