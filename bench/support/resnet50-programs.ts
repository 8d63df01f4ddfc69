import { cast } from '../../src/autodiff/op.ts';
import { softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { Program, type Feeds } from '../../src/autodiff/program.ts';
import type { VariantSelector } from '../../src/autodiff/variant-selector.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { input } from '../../src/autodiff/tensor.ts';
import type { Device } from '../../src/gpu/device.ts';
import { DEFAULT_LOSS_SCALING } from '../../src/nn/loss-scaling.ts';
import { sgdSettings } from '../../src/nn/optimizers/index.ts';
import { trainingUpdate } from '../../src/nn/training-update.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { RandomStream } from '../../src/random/philox.ts';
import type { Precision } from '../../src/models/image-input.ts';
import type { Work } from './kernel-bench.ts';

/** A program, still to be compiled, and what it is fed. */
export interface BenchProgram {
  readonly storage: DeviceStorage;
  readonly feeds: Feeds;
  compile(): Promise<Program>;
}

export type Pass = 'train' | 'infer';

const CLASSES = 1000;

/**
 * ResNet50 with a thousand classes at full width. A training step is forward, cross-entropy, backward, SGD with
 * momentum and weight decay, running statistics, and reading the loss back; inference is forward with batch norms
 * folded in, and reading the logits back. In f16 the training scales its loss.
 */
export async function resnet50Program(
  device: Device,
  pass: Pass,
  { batch, size }: Work,
  precision: Precision = 'f32',
  selector?: VariantSelector,
): Promise<BenchProgram> {
  const storage = new DeviceStorage(device, selector);
  const network = new Classifier({ classes: CLASSES });
  await initializeNetwork(network, storage, 0);
  const random = new RandomStream(1, 0);
  // The fourth channel is padding.
  const pixels = Float32Array.from({ length: batch * size * size * 4 }, (_, index) =>
    index % 4 === 3 ? 0 : 2 * random.uniform() - 1,
  );
  const images = cast(input('images', [batch, size, size, 4]), precision);
  if (pass === 'infer') {
    const { logits } = network.apply(images, 'eval');
    return {
      storage,
      feeds: { images: pixels },
      compile: () => Program.compile(storage, { outputs: { logits }, frozen: true }),
    };
  }
  const { logits, batchStatistics } = network.apply(images, 'train');
  const loss = softmaxCrossEntropy(logits, input('labels', [batch], 'u32'));
  const { updates, feeds } = trainingUpdate(
    network,
    loss,
    batchStatistics,
    sgdSettings(1e-4, 0.9),
    precision === 'f16' ? DEFAULT_LOSS_SCALING : undefined,
  );
  const labels = Uint32Array.from({ length: batch }, () => random.integer(CLASSES));
  return {
    storage,
    feeds: { images: pixels, labels, ...feeds(0.01, 1) },
    compile: () => Program.compile(storage, { outputs: { loss }, updates }),
  };
}
