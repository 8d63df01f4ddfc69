import { interpolateUpdate, nonFinite } from '../autodiff/ops/effects.ts';
import { pack } from '../autodiff/ops/pack.ts';
import { scaleBy } from '../autodiff/ops/scale.ts';
import { gradient } from '../autodiff/gradient.ts';
import type { Feeds } from '../autodiff/program.ts';
import type { GraphNode, ParameterStore, Tensor } from '../autodiff/tensor.ts';
import type { BatchStatistics } from './forward-context.ts';
import type { Network } from './layers.ts';
import { lossScaleOf, type LossScale, type LossScaling } from './loss-scaling.ts';
import type { OptimizerSettings } from './optimizers/index.ts';
import { groupOf, optimizerUpdate } from './optimizers/update.ts';

/**
 * The end of a training step: gradients of the parameters that learn, the optimizer's update, the running statistics'
 * update.
 */
export interface TrainingUpdate {
  /** For Program.compile. */
  readonly updates: readonly GraphNode[];
  /** u32 [2] as bits: count of non-finite gradient elements, and the first of them in the flat gradient store. */
  readonly gate: Tensor;
  /** Those of the parameters that learn, in their order. */
  readonly gradients: ParameterStore;
  /** The optimizer's moments and the loss scale, to be saved with the parameters. */
  readonly moments: readonly ParameterStore[];
  readonly lossScale: LossScale | undefined;
  /**
   * All of the program's inputs for a step, counted from 1, that are no data: the optimizer's numbers, and those of an
   * average of the weights (weight-average.ts). `TrainingStep` passes them on.
   */
  feeds(learningRate: number, step: number): Feeds;
}

/**
 * Builds the update of a network's parameters by the gradient of a loss. Nothing changes where a gradient is not
 * finite.
 * @param loss [1]
 * @param lossScaling where gradients pass through 16-bit floats
 */
export function trainingUpdate(
  network: Network,
  loss: Tensor,
  batchStatistics: BatchStatistics,
  settings: OptimizerSettings,
  lossScaling?: LossScaling,
): TrainingUpdate {
  const gradients = gradientStore(network, settings);
  const lossScale = lossScaling && lossScaleOf(lossScaling);
  const gate = nonFinite(pack(parameterGradients(network, scaled(loss, lossScale), settings), gradients));
  const { updates, moments, feeds } = optimizerUpdate(network.parameters, gradients, gate, settings, lossScale);
  if (batchStatistics.size > 0) updates.push(statisticsUpdate(network, network.statistics, batchStatistics, gate));
  return { updates, gate, gradients, moments, lossScale, feeds };
}

/** The loss times the loss scale, where there is one. */
export const scaled = (loss: Tensor, lossScale: LossScale | undefined): Tensor =>
  lossScale === undefined ? loss : scaleBy(loss, lossScale.scale);

/** Gradients by the names of the parameters, in their order. */
export const named = (parameters: ReadonlyMap<string, Tensor>, gradients: readonly Tensor[]): Map<string, Tensor> =>
  new Map([...parameters.keys()].map((name, index) => [name, gradients[index]]));

/** The parameters of groups whose learning rate is not 0, by name. */
export function learning({ parameters }: Network, { groups }: OptimizerSettings): Map<string, Tensor> {
  return new Map(
    [...parameters.entries]
      .filter(([name]) => groupOf(name, groups).learningRate !== 0)
      .map(([name, { tensor }]) => [name, tensor]),
  );
}

/** A store for the gradients of the parameters that learn. @throws RangeError where no parameter learns */
export function gradientStore(network: Network, settings: OptimizerSettings): ParameterStore {
  const learns = learning(network, settings);
  if (learns.size === 0)
    throw new RangeError(
      'no parameter learns, as the learning rate of all groups that match any is 0; leave one of them more',
    );
  return network.parameters.like('gradients', (name) => learns.has(name));
}

/** d loss / d parameter by the parameter's name, of those that learn. */
export function parameterGradients(network: Network, loss: Tensor, settings: OptimizerSettings): Map<string, Tensor> {
  const parameters = learning(network, settings);
  return named(parameters, gradient(loss, [...parameters.values()]));
}

/** Running statistics follow those of a batch, where the gate lets them. */
export function statisticsUpdate(
  { statistics, settings }: Network,
  running: ParameterStore,
  batchStatistics: BatchStatistics,
  gate: Tensor,
): GraphNode {
  // What normalizes by its running statistics leaves them: they follow themselves.
  const followed = new Map(
    [...running.entries].map(([name, { tensor }]) => [name, batchStatistics.get(name) ?? tensor]),
  );
  return interpolateUpdate(
    running.flat,
    pack(followed, statistics.like('batch statistics')),
    settings.batchNormMomentum,
    gate,
  );
}
