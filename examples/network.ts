// A network of one's own on the engine: learns to tell ten shades apart.
//   npx tsx examples/network.ts
import {
  adamSettings,
  globalAveragePool,
  initializeNetwork,
  input,
  Network,
  ForwardContext,
  softmaxCrossEntropy,
  DeviceStorage,
  TrainingStep,
  trainingUpdate,
} from '../src/index.ts';
import { ensureAdapter, openDevice, releaseGpu } from '../src/platform/adapter.ts';

await ensureAdapter();
const device = await openDevice();
const storage = new DeviceStorage(device);
const network = new Network();
const weight = network.convolutionWeight('conv.weight', 3, 4, 16);
const norm = network.batchNorm('bn', 16);
const head = network.linear('head', 16, 10);

const context = new ForwardContext(network, 'train');
const features = globalAveragePool(
  context.convolutionBatchNorm(input('images', [32, 16, 16, 4]), weight, norm, { padding: 1, relu: true }),
);
const loss = softmaxCrossEntropy(head.apply(features), input('labels', [32], 'u32'));
const update = trainingUpdate(network, loss, context.batchStatistics, adamSettings(0));
await initializeNetwork(network, storage, 0);
const training = await TrainingStep.compile(storage, update, { outputs: { loss } });

const labels = Uint32Array.from({ length: 32 }, (_, image) => image % 10);
const images = Float32Array.from(
  { length: 32 * 16 * 16 * 4 },
  (_, i) => labels[Math.floor(i / 1024)] / 10 + 0.1 * Math.sin(i),
);
for (let step = 1; step <= 200; step++) {
  const result = await training.run({ images, labels }, 0.02);
  if (step === 1 || step % 50 === 0) console.log(`step ${step}: loss ${result.loss[0].toFixed(4)}`);
}
const { size, memory } = training.program;
console.log(`${size.dispatches} dispatches a step, ${memory.total} bytes on the device`);
device.dispose();
releaseGpu();
