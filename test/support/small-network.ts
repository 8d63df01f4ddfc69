import { globalAveragePool } from '../../src/autodiff/ops/pooling.ts';
import { softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { Program, type Feeds, type ProgramOptions } from '../../src/autodiff/program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { input, type Tensor } from '../../src/autodiff/tensor.ts';
import type { Device } from '../../src/gpu/device.ts';
import { Network, type BatchNorm, type Linear } from '../../src/nn/layers.ts';
import { ForwardContext } from '../../src/nn/forward-context.ts';
import { adamSettings, type OptimizerSettings } from '../../src/nn/optimizers/index.ts';
import { trainingUpdate, type TrainingUpdate } from '../../src/nn/training-update.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { beginAverage, withWeightAverage } from '../../src/nn/weight-average.ts';
import { uniformNumbers } from './kernel-test.ts';

const BATCH = 6;
const SIZE = 5;
const CLASSES = 3;

/** Everything a training step has, in milliseconds: a convolution, batch normalization, a linear layer, Adam. */
export interface SmallTraining {
  readonly network: Network;
  /** The average of its weights, where there is one. */
  readonly average: Network | undefined;
  readonly storage: DeviceStorage;
  readonly update: TrainingUpdate;
  readonly program: Program<'loss' | 'logits' | 'gate'>;
  readonly images: Float32Array;
  readonly labels: Uint32Array;
  /** The program's inputs for a step, counted from 1. */
  feeds(step: number): Feeds & { readonly images: Float32Array; readonly labels: Uint32Array };
}

/** A small network on a device, initialized from a seed, with its training program. */
export async function smallTraining(
  device: Device,
  seed = 1,
  optimizer: OptimizerSettings = adamSettings(1e-4),
  {
    averageDecay,
    ...options
  }: Pick<ProgramOptions<string>, 'stagedFrom'> & {
    /** Decay of an average of the weights. */ readonly averageDecay?: number;
  } = {},
): Promise<SmallTraining> {
  const { network, weight, norm, linear } = smallNetwork();
  const pass = new ForwardContext(network, 'train');
  const hidden = pass.convolutionBatchNorm(input('images', [BATCH, SIZE, SIZE, 4]), weight, norm, {
    padding: 1,
    relu: true,
  });
  const logits = linear.apply(globalAveragePool(hidden));
  const loss = softmaxCrossEntropy(logits, input('labels', [BATCH], 'u32'));
  const average = averageDecay === undefined ? undefined : { network: smallNetwork().network, decay: averageDecay };
  const own = trainingUpdate(network, loss, pass.batchStatistics, optimizer);
  const update = average === undefined ? own : withWeightAverage(own, network, average);

  const storage = new DeviceStorage(device);
  await initializeNetwork(network, storage, seed);
  if (average !== undefined) await beginAverage(average, network, storage);
  const program = await Program.compile(storage, {
    outputs: { loss, logits, gate: update.gate },
    updates: update.updates,
    ...options,
  });
  const uniform = uniformNumbers(seed);
  const images = Float32Array.from({ length: BATCH * SIZE * SIZE * 4 }, uniform);
  const labels = Uint32Array.from({ length: BATCH }, (_, index) => index % CLASSES);
  return {
    network,
    average: average?.network,
    storage,
    update,
    program,
    images,
    labels,
    feeds: (step) => ({ images, labels, ...update.feeds(0.01, step) }),
  };
}

function smallNetwork(): {
  readonly network: Network;
  readonly weight: Tensor;
  readonly norm: BatchNorm;
  readonly linear: Linear;
} {
  const network = new Network();
  return {
    network,
    weight: network.convolutionWeight('convolution.weight', 3, 4, 8),
    norm: network.batchNorm('norm', 8),
    linear: network.linear('linear', 8, CLASSES),
  };
}
