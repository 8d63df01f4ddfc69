import { movingAverageUpdate } from '../autodiff/ops/effects.ts';
import type { DeviceStorage } from '../autodiff/device-storage.ts';
import { input } from '../autodiff/tensor.ts';
import type { Network } from './layers.ts';
import type { TrainingUpdate } from './training-update.ts';

/**
 * An exponential moving average of a network's parameters and running statistics, kept on the device while it trains.
 */
export interface WeightAverage {
  /**
   * A network of the same layers as the one that trains. Its parameters and statistics are the averages. It can be used
   * and saved like any other network.
   */
  readonly network: Network;
  /**
   * The share of the average that a step keeps, once the training is long enough for it: see `averageDecay`. From 0 to
   * 1.
   */
  readonly decay: number;
}

/**
 * The share of the average that a step keeps: min(decay, (1 + step) / (10 + step)). The warm-up keeps the starting
 * weights, which are far from the end, from staying in the average for long: in a short training the average covers
 * about the last tenth of the steps.
 * @param step counted from 1
 */
export const averageDecay = (decay: number, step: number): number => Math.min(decay, (1 + step) / (10 + step));

const SHARE = 'averageShare';

/**
 * A training step's update with that of the average after it. A step whose gradients are not finite changes the average
 * as little as the weights.
 * @param network the one that trains, with the layers of the average's
 */
export function withWeightAverage(
  update: TrainingUpdate,
  network: Network,
  { network: average, decay }: WeightAverage,
): TrainingUpdate {
  const share = input(SHARE, [1]);
  const pairs = [
    [average.parameters, network.parameters],
    [average.statistics, network.statistics],
  ] as const;
  return {
    ...update,
    updates: [
      ...update.updates,
      ...pairs
        .filter(([store]) => store.length > 0)
        .map(([store, followed]) => movingAverageUpdate(store.flat, followed.flat, share, update.gate)),
    ],
    feeds: (learningRate, step) => ({
      ...update.feeds(learningRate, step),
      [SHARE]: Float32Array.of(1 - averageDecay(decay, step)),
    }),
  };
}

/** Lets the average begin with the weights as they are. */
export async function beginAverage(
  { network: average }: WeightAverage,
  network: Network,
  storage: DeviceStorage,
): Promise<void> {
  storage.write(average.parameters.flat, await storage.read(network.parameters.flat));
  if (network.statistics.length > 0)
    storage.write(average.statistics.flat, await storage.read(network.statistics.flat));
}
