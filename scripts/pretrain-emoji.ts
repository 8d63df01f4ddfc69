// The first step to the demo's starting checkpoint (train-demo-start.ts): a quarter-width ResNet50 that classifies
// pictures of the seen classes, trained from random weights by this engine. It sees no sketch and nothing of an unseen
// class. Its log is beside it, as .jsonl.
//
//   npx tsx scripts/pretrain-emoji.ts [--adapter lavapipe] [--size 32] [--steps 1200] [--split unseen|settings] [--out runs/emoji-classifier]
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { loadEmoji } from '../datasets/emoji.ts';
import { DeviceStorage } from '../src/autodiff/device-storage.ts';
import { augmentationTransforms } from '../src/data/augmentation.ts';
import { batches } from '../src/data/loader.ts';
import { shuffledSampler } from '../src/data/sampler.ts';
import { adamSettings } from '../src/nn/optimizers/index.ts';
import { Classifier } from '../src/nn/retrieval-network.ts';
import { initializeNetwork, readState } from '../src/nn/state.ts';
import { ensureAdapter, openDevice, releaseGpu, type AdapterChoice } from '../src/platform/adapter.ts';
import { writeFileAtomically } from '../src/platform/node/files.ts';
import { modelChecksum, serializeModel } from '../src/models/model-file.ts';
import { classificationObjective } from '../src/training/objectives.ts';
import { Trainer } from '../src/training/trainer.ts';

const { values } = parseArgs({
  options: {
    adapter: { type: 'string', default: 'auto' },
    size: { type: 'string', default: '32' },
    steps: { type: 'string', default: '1200' },
    split: { type: 'string', default: 'unseen' },
    out: { type: 'string', default: 'runs/emoji-classifier' },
  },
});
const SEED = 0;
const BATCH = 64;
const WIDTH = 0.25;
const size = Number(values.size);
const steps = Number(values.steps);

await ensureAdapter(values.adapter as AdapterChoice);
const device = await openDevice('auto', { unsafe: true });
const dataset = await loadEmoji({ size, measureOn: values.split === 'settings' ? 'settings' : 'unseen' });
const photos = dataset.train.filter(({ domain }) => domain === 'photo');
const classes = dataset.seenClasses.length;
console.log(
  `${device.description.device}: ${photos.length} pictures of ${classes} seen classes, ${size} px, ${steps} steps of ${BATCH}`,
);

const storage = new DeviceStorage(device);
const network = new Classifier({ width: WIDTH, classes });
await initializeNetwork(network, storage, SEED);
const trainer = await Trainer.create({
  storage,
  objective: classificationObjective(network, { count: BATCH, sourceSize: size, size }),
  optimizer: adamSettings(1e-4),
  schedule: { learningRate: 2e-3, warmupSteps: 50, decay: 'cosine', final: 0 },
  steps,
});
mkdirSync(dirname(values.out), { recursive: true });
const log = `${values.out}.jsonl`;
rmSync(log, { force: true });
const sampler = shuffledSampler(photos, dataset.seenClasses, { batchSize: BATCH, seed: SEED });
const transforms = (domains: Uint32Array, step: number): Float32Array =>
  augmentationTransforms(domains, { seed: SEED, step, sourceSize: size, outputSize: size });
const started = performance.now();
let smooth = NaN;
await trainer.train(
  batches({ sampler, images: dataset.images, sourceSize: size, transforms, to: steps }),
  ({ step, loss, learningRate }) => {
    smooth = Number.isNaN(smooth) ? loss : 0.98 * smooth + 0.02 * loss;
    const seconds = (performance.now() - started) / 1000;
    if ((step + 1) % 10 === 0)
      appendFileSync(
        log,
        `${JSON.stringify({ step: step + 1, loss, learningRate, seconds: Number(seconds.toFixed(1)) })}\n`,
      );
    if ((step + 1) % 50 === 0)
      console.log(
        `step ${step + 1}: loss ${smooth.toFixed(3)}, ${((BATCH * (step + 1)) / seconds).toFixed(0)} images/s`,
      );
  },
);

const state = await readState(network, storage);
const about = {
  kind: 'classifier',
  width: WIDTH,
  size,
  classes: [...dataset.seenClasses],
  steps,
  seed: SEED,
  data: 'emoji, pictures of seen classes',
  adapter: device.description.device,
};
await writeFileAtomically(`${values.out}.safetensors`, await serializeModel({ state, about }, 'F16'));
console.log(`${values.out}.safetensors, from weights with checksum ${(await modelChecksum(state)).slice(0, 16)}`);
trainer.destroy();
storage.destroy();
device.dispose();
releaseGpu();
