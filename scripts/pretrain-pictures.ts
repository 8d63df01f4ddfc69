// Pre-trains a quarter-width ResNet50 on pictures, and on sketches that are simulated of them, from random weights: a start for trainings that have
// no drawings, or few. Its pictures are those of the seen emoji classes and icons of the search data; it sees no sketch that anyone drew and
// nothing of an unseen class. The result is a classifier of the seen emoji classes, as models/emoji-start.safetensors is.
//
//   npm install --no-save @iconify/json
//   npx tsx scripts/pretrain-pictures.ts [--adapter lavapipe] [--size 32] [--steps 14000] [--split unseen|settings] [--out runs/pictures-start]
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { loadEmoji } from '../datasets/emoji.ts';
import { nounOf } from '../datasets/nouns.ts';
import { loadSearchData } from '../datasets/search.ts';
import { EDGE_SIDE, pictureStrokes, SketchDrawer, type SketchStrokes } from '../datasets/simulated-sketches.ts';
import { mainNoun } from '../datasets/training-icons.ts';
import { Storage } from '../src/autodiff/storage.ts';
import { augmentationTransforms } from '../src/data/augmentation.ts';
import type { Dataset, Sample } from '../src/data/dataset.ts';
import { batches } from '../src/data/loader.ts';
import { balancedSampler } from '../src/data/sampler.ts';
import { adamSettings } from '../src/nn/optimizers.ts';
import { Classifier } from '../src/nn/retrieval-network.ts';
import { initializeNetwork, readState, type State, type StateTensor } from '../src/nn/state.ts';
import { ensureAdapter, openDevice, releaseGpu, type AdapterChoice } from '../src/platform/adapter.ts';
import { writeFileAtomically } from '../src/platform/node/files.ts';
import { modelChecksum, serializeModel } from '../src/training/checkpoint.ts';
import { classificationObjective } from '../src/training/objectives.ts';
import { Trainer } from '../src/training/trainer.ts';

const { values } = parseArgs({
  options: {
    adapter: { type: 'string', default: 'auto' },
    size: { type: 'string', default: '32' },
    steps: { type: 'string', default: '14000' },
    split: { type: 'string', default: 'unseen' },
    out: { type: 'string', default: 'runs/pictures-start' },
  },
});
const SEED = 0;
const CLASSES_PER_BATCH = 32;
const WIDTH = 0.25;
const size = Number(values.size);
const steps = Number(values.steps);

await ensureAdapter(values.adapter as AdapterChoice);
const device = await openDevice();
const dataset = await loadPictures(size, values.split === 'settings' ? 'settings' : 'unseen');
const classes = dataset.seenClasses.length;
const sampler = balancedSampler(dataset, { classesPerBatch: CLASSES_PER_BATCH, imagesPerDomain: 1, seed: SEED, sourceRepeats: { emoji: 2 } });
console.log(`${device.description.device}: ${dataset.train.filter(({ domain }) => domain === 'photo').length} pictures of ${classes} classes, ${size} px, ${steps} steps of ${sampler.batchSize}`);

const storage = new Storage(device);
const network = new Classifier({ width: WIDTH, classes });
await initializeNetwork(network, storage, SEED);
const trainer = await Trainer.create({
  storage,
  objective: classificationObjective(network, { count: sampler.batchSize, sourceSize: size, size }),
  optimizer: adamSettings(2e-2, 'adamw'),
  schedule: { learningRate: 2e-3, warmupSteps: 100, decay: 'cosine', final: 0 },
  steps,
});
mkdirSync(dirname(values.out), { recursive: true });
const log = `${values.out}.jsonl`;
rmSync(log, { force: true });
const transforms = (domains: Uint32Array, step: number): Float32Array => augmentationTransforms(domains, { seed: SEED, step, sourceSize: size, outputSize: size });
const started = performance.now();
let smooth = NaN;
await trainer.train(batches({ sampler, images: dataset.images, sourceSize: size, transforms, to: steps, seed: SEED }), ({ step, loss, learningRate }) => {
  smooth = Number.isNaN(smooth) ? loss : 0.98 * smooth + 0.02 * loss;
  const seconds = (performance.now() - started) / 1000;
  if ((step + 1) % 10 === 0) appendFileSync(log, `${JSON.stringify({ step: step + 1, loss, learningRate, seconds: Number(seconds.toFixed(1)) })}\n`);
  if ((step + 1) % 50 === 0) console.log(`step ${step + 1}: loss ${smooth.toFixed(3)}, ${((sampler.batchSize * (step + 1)) / seconds).toFixed(0)} images/s`);
});

// The demo trains on emoji, so that the rows of other classes have served their purpose.
const state = classRows(await readState(network, storage), dataset.seenClasses, dataset.emojiClasses);
const about = { kind: 'classifier', width: WIDTH, size, classes: [...dataset.emojiClasses], steps, seed: SEED, data: 'pictures of seen emoji classes and of icons, and sketches simulated of them', adapter: device.description.device };
await writeFileAtomically(`${values.out}.safetensors`, await serializeModel({ state, about }, 'F16'));
console.log(`${values.out}.safetensors, from weights with checksum ${(await modelChecksum(state)).slice(0, 16)}`);
trainer.destroy();
storage.destroy();
device.dispose();
releaseGpu();

/**
 * The pictures of all seen emoji classes, and those of icons, each with a simulated sketch. An icon whose noun is an emoji's joins its class.
 * @param measureOn the classes that are left out besides the unseen ones
 */
async function loadPictures(side: number, measureOn: 'unseen' | 'settings'): Promise<Pick<Dataset, 'name' | 'seenClasses' | 'train' | 'images'> & { readonly emojiClasses: readonly string[] }> {
  const emoji = await loadEmoji({ size: side, measureOn });
  const search = await loadSearchData({ size: side, measureOn });
  const classOf = new Map(emoji.seenClasses.map((name) => [mainNoun(nounOf(name)), name]));
  const icons = search.train.filter(({ source, name }) => source === 'icons' || (source === 'simulated' && name.startsWith('simulated/icons/')));
  const photos = emoji.train.filter(({ domain }) => domain === 'photo').map((sample) => ({ ...sample, source: 'emoji' }));
  const drawer = new SketchDrawer();
  const sketches = new Map<string, SketchStrokes>();
  const simulated: Sample[] = [];
  for (const { className, name } of photos) {
    const strokes = pictureStrokes(await emoji.images.read({ domain: 'photo', className, name }, EDGE_SIDE));
    if (strokes[0] === 0) continue;
    simulated.push({ domain: 'sketch', className, name: `simulated/${name}`, source: 'emoji' });
    sketches.set(`simulated/${name}`, { strokes, from: 'picture' });
  }
  const samples = [...photos, ...simulated, ...icons.filter(({ domain, source }) => domain === 'photo' || source === 'simulated').map((sample) => ({ ...sample, className: classOf.get(sample.className) ?? sample.className }))];
  const having = (domain: Sample['domain']): Set<string> => new Set(samples.filter((sample) => sample.domain === domain).map(({ className }) => className));
  const [drawn, pictured] = [having('sketch'), having('photo')];
  const names = [...pictured].filter((name) => drawn.has(name)).sort();
  return {
    name: 'pictures',
    seenClasses: names,
    emojiClasses: emoji.seenClasses,
    train: samples.filter(({ className }) => drawn.has(className) && pictured.has(className)),
    images: {
      read: (sample, requested, draw) => {
        const strokes = sketches.get(sample.name);
        if (strokes !== undefined) return drawer.draw(strokes, requested, draw);
        return sample.source === 'emoji' ? emoji.images.read(sample, requested) : search.images.read(sample, requested, draw);
      },
    },
  };
}

/** A classifier's state with the rows of some of its classes. */
function classRows(state: State, from: readonly string[], to: readonly string[]): State {
  const rows = to.map((name) => from.indexOf(name));
  if (rows.includes(-1)) throw new Error(`no picture of the class ${to[rows.indexOf(-1)]} was trained on`);
  const chosen = (name: string): StateTensor => {
    const { shape, values: all } = state.get(name) as StateTensor;
    const width = shape[1] ?? 1;
    return { shape: [to.length, ...shape.slice(1)], values: Float32Array.from({ length: to.length * width }, (_, index) => all[rows[Math.floor(index / width)] * width + (index % width)]) };
  };
  return new Map([...state, ['fc.weight', chosen('fc.weight')], ['fc.bias', chosen('fc.bias')]]);
}
