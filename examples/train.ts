// Trains on a folder of sketches and photos, and measures the search of classes that were never trained on.
//   npx tsx examples/train.ts <folder with sketch/<class>/ and photo/<class>/> [steps] [pixels] [width]
import { writeFile } from 'node:fs/promises';
import { loadFolder } from '../datasets/folder.ts';
import {
  evaluateNetwork,
  modelEmbeddings,
  PAPER_RECIPE,
  serializeModel,
  trainRetrieval,
  unseenTask,
  type RetrievalTraining,
} from '../src/index.ts';
import { ensureAdapter, openDevice, releaseGpu } from '../src/platform/adapter.ts';

const [root, steps = '1000', pixels = '224', width = '1'] = process.argv.slice(2);
await ensureAdapter();
const device = await openDevice();
const dataset = await loadFolder({ root, size: Number(pixels), unseen: { fraction: 0.25 } });

const training: RetrievalTraining = {
  ...PAPER_RECIPE,
  steps: Number(steps),
  imageSize: Number(pixels),
  network: { ...PAPER_RECIPE.network, width: Number(width) },
  classesPerBatch: Math.min(12, dataset.seenClasses.length),
};
const { model, file } = await trainRetrieval({
  device,
  dataset,
  training,
  onLog: (entry) =>
    entry.event === 'step' &&
    console.log(`step ${entry.step}: loss ${entry.loss.toFixed(3)}, ${entry.imagesPerSecond.toFixed(1)} images/s`),
});
await writeFile('model.safetensors', await serializeModel(file));

const embeddings = await modelEmbeddings(model);
const { metrics } = await evaluateNetwork(embeddings, unseenTask(dataset), dataset.images);
console.log(`unseen classes: mAP@all ${metrics.mapAll.toFixed(4)} over ${metrics.queries} queries`);
device.dispose();
releaseGpu();
