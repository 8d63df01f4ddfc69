// Writes a trained model as the shipped one: weights as 16-bit floats, without what only a training needs, and with the
// similarity below which the best answer of a search means nothing. It says that sketches are to be cut to their ink,
// as all drawings of the search data are.
//
//   npx tsx scripts/calibrate-search-model.ts MODEL OUT --quickdraw DIR [--adapter lavapipe]
//
// People's drawings of trained words search the pictures that were trained on, once with those of their own class and
// once without. The cut-off keeps nine of ten right first answers; what share of drawings without a right answer passes
// it is written beside it. No unseen class takes part.
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { loadSearchData } from '../datasets/search.ts';
import { ensureAdapter, openDevice, releaseGpu, type AdapterChoice } from '../src/platform/adapter.ts';
import { cosineRows } from '../src/retrieval/cosine.ts';
import { parseModel, serializeModel, type Json } from '../src/training/checkpoint.ts';
import { modelEmbeddings, openRetrievalModel } from '../src/training/model.ts';

const {
  values,
  positionals: [source, target],
} = parseArgs({
  allowPositionals: true,
  options: { quickdraw: { type: 'string' }, adapter: { type: 'string', default: 'auto' } },
});
if (source === undefined || target === undefined || values.quickdraw === undefined)
  throw new Error('give the trained model, the file to write and --quickdraw DIR');
/** Share of right first answers that the cut-off keeps. */
const KEPT = 0.9;
/** Drawings of each word. */
const PER_WORD = 25;

await ensureAdapter(values.adapter as AdapterChoice);
const device = await openDevice();
const trained = await parseModel(await readFile(source), source);
const model = openRetrievalModel(device, trained, source);
const dataset = await loadSearchData({
  size: model.imageSize,
  drawings: values.quickdraw,
  drawingsPerWord: PER_WORD,
  simulation: false,
});
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

const { kind, imageSize, pixels, network, classes, unseenClasses, settings } = trained.about;
const bytes = await serializeModel(
  {
    state: trained.state,
    about: {
      kind,
      imageSize,
      ...(pixels !== undefined && { pixels }),
      sketches: 'fitted',
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
