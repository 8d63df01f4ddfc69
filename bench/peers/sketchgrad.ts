/**
 * sketchgrad itself, under the same protocol as its peers (worker.mjs).
 *
 *   node --import tsx bench/peers/sketchgrad.ts --work train --batch 16 --size 64
 */
import { softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { Program } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { input } from '../../src/autodiff/tensor.ts';
import { sgdSettings } from '../../src/nn/optimizers/index.ts';
import { trainingUpdate } from '../../src/nn/training-update.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork, writeState } from '../../src/nn/state.ts';
import { openDevice } from '../../src/platform/adapter.ts';
// @ts-expect-error the peers' modules are plain JavaScript, so that each peer runs as its users run it
import * as resnet50 from './resnet50.mjs';
// @ts-expect-error see above
import { readOptions, serve } from './worker.mjs';

const { work, batch, size } = readOptions() as { work: 'train' | 'infer'; batch: number; size: number };
const device = await openDevice('auto', { unsafe: true });
const storage = new DeviceStorage(device);
const network = new Classifier({ classes: resnet50.CLASSES });
await initializeNetwork(network, storage, 0);
const parameters = resnet50.initialParameters() as { name: string; shape: number[]; values: Float32Array }[];
writeState(network, storage, new Map(parameters.map(({ name, ...tensor }) => [name, tensor])), { partial: true });

const images = input('images', [batch, size, size, 4]);
const feeds = { images: padded(resnet50.images(batch, size) as Float32Array) };
await serve(
  device.description.description || device.description.device,
  work === 'train' ? await trainer() : await inferrer(),
);

async function trainer(): Promise<() => Promise<{ loss: number }>> {
  const { logits, batchStatistics } = network.apply(images, 'train');
  const loss = softmaxCrossEntropy(logits, input('labels', [batch], 'u32'));
  const { updates, feeds: updateFeeds } = trainingUpdate(
    network,
    loss,
    batchStatistics,
    sgdSettings(resnet50.WEIGHT_DECAY, resnet50.MOMENTUM),
  );
  const program = await Program.compile(storage, { outputs: { loss }, updates });
  const stepFeeds = {
    ...feeds,
    labels: Uint32Array.from(resnet50.labels(batch) as number[]),
    ...updateFeeds(resnet50.LEARNING_RATE, 1),
  };
  return async () => ({ loss: (await program.run(stepFeeds)).loss[0] });
}

async function inferrer(): Promise<() => Promise<{ logits: Float32Array }>> {
  const program = await Program.compile(storage, {
    outputs: { logits: network.apply(images, 'eval').logits },
    frozen: true,
  });
  return () => program.run(feeds);
}

/** [batch, 3, size, size] to [batch, size, size, 4]. */
function padded(channelsFirst: Float32Array): Float32Array {
  const result = new Float32Array(batch * size * size * 4);
  const pixels = size * size;
  channelsFirst.forEach((value, index) => {
    const image = Math.floor(index / (3 * pixels));
    const channel = Math.floor(index / pixels) % 3;
    result[(image * pixels + (index % pixels)) * 4 + channel] = value;
  });
  return result;
}
