import { ARENA_BLOCK } from '../../kernels/optimizer/adam.ts';
import type { ArenaTensor } from '../../kernels/optimizer/tensor-norms.ts';
import {
  accumulate,
  clear,
  demand,
  interpolateUpdate,
  lossScaleUpdate,
  nonFinite,
} from '../autodiff/ops/optimizers.ts';
import { pack } from '../autodiff/ops/pack.ts';
import { scale } from '../autodiff/ops/pointwise.ts';
import { scaleBy } from '../autodiff/ops/scale.ts';
import { gradient, vectorJacobianProduct } from '../autodiff/gradient.ts';
import { nodesBefore } from '../autodiff/nodes-before.ts';
import { scatterRows, selectRows } from '../autodiff/ops/rows.ts';
import type { Feeds } from '../autodiff/program.ts';
import { constant, input, type GraphNode, ParameterStore, type Tensor } from '../autodiff/tensor.ts';
import type { BatchStatistics } from './forward-context.ts';
import type { Network } from './layers.ts';
import { lossScaleOf, type LossScale, type LossScaling } from './loss-scaling.ts';
import { optimizerOfSettings, type OptimizerSettings } from './optimizers/index.ts';
import type { ParameterGroup } from './optimizers/optimizer.ts';

/**
 * The end of a training step: gradients of the parameters that learn, the optimiser's update, the running statistics'
 * update.
 */
export interface TrainingUpdate {
  /** For Program.compile. */
  readonly updates: readonly GraphNode[];
  /** u32 [2] as bits: count of non-finite gradient elements, and the first of them in the flat gradient store. */
  readonly gate: Tensor;
  /** Those of the parameters that learn, in their order. */
  readonly gradients: ParameterStore;
  /** The optimiser's moments and the loss scale, to be saved with the parameters. */
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

const scaled = (loss: Tensor, lossScale: LossScale | undefined): Tensor =>
  lossScale === undefined ? loss : scaleBy(loss, lossScale.scale);

/** A training step whose batch comes in parts, each a run of its own. */
export interface MicroBatchUpdate {
  /** Updates of a run before the parts. */
  readonly begin: readonly GraphNode[];
  /** Updates of the run of each part. */
  readonly part: readonly GraphNode[];
  /** Those of a run after the parts. */
  readonly end: TrainingUpdate;
}

/**
 * Like `trainingUpdate`, with the gradient summed over `parts` micro-batches in their order. The loss of the step is
 * the mean of theirs. Running statistics follow each micro-batch's in turn, but in a copy, which takes their place at
 * the end of a step whose gradients are finite.
 * @param loss [1], of one micro-batch
 */
export function microBatchUpdate(
  network: Network,
  loss: Tensor,
  batchStatistics: BatchStatistics,
  settings: OptimizerSettings,
  parts: number,
  lossScaling?: LossScaling,
): MicroBatchUpdate {
  const gradients = gradientStore(network, settings);
  const lossScale = lossScaling && lossScaleOf(lossScaling);
  const computed = parameterGradients(network, scaled(scale(loss, 1 / parts), lossScale), settings);
  return aroundParts(network, gradients, accumulateAll(gradients, computed), batchStatistics, settings, lossScale);
}

/** A training step for a loss over the whole batch, whose network sees the batch in parts: gradient caching. */
export interface CachedUpdate<Loss> extends MicroBatchUpdate {
  /**
   * Updates of the first run of each part, after `begin`: it keeps what the network makes of its images. Both runs of a
   * part have an input `rows`, u32 [its count]: which images of the batch they are.
   */
  readonly encode: readonly GraphNode[];
  /** Updates of the run of the loss, on the whole batch as it was kept, before the runs of `part`. */
  readonly loss: readonly GraphNode[];
  readonly lossOfBatch: Loss;
}

/**
 * Like `trainingUpdate` for a batch in parts and a loss that cannot be split (Gao, Zhang, Han and Callan 2021, "Scaling
 * deep contrastive learning batch size under memory limited setup"): all parts are encoded and what comes out is kept,
 * without activations; the loss and its gradient by what was kept are those of the whole batch; then each part is
 * encoded once more and its share of that gradient propagated through it. Running statistics follow the parts as in
 * `microBatchUpdate`.
 * @param encoded [part, width], what the network makes of a part
 * @param lossOf the loss [1] of the batch, and what else is wanted, from all that was kept, [batch, width]
 */
export function cachedUpdate<Loss extends { readonly loss: Tensor }>(
  network: Network,
  { encoded, batchStatistics }: { readonly encoded: Tensor; readonly batchStatistics: BatchStatistics },
  lossOf: (kept: Tensor) => Loss,
  settings: OptimizerSettings,
  parts: number,
  lossScaling?: LossScaling,
): CachedUpdate<Loss> {
  const [count, width] = encoded.shape;
  const keep = (name: string): Tensor => new ParameterStore(name).add(name, [parts * count, width]);
  const kept = keep('encoded batch');
  const keptGradient = keep('gradient of the encoded batch');
  const gradients = gradientStore(network, settings);
  const rows = input('rows', [count], 'u32');

  const lossOfBatch = lossOf(kept);
  const { loss } = lossOfBatch;
  const lossScale = lossScaling && lossScaleOf(lossScaling);
  const heads = parametersBefore(network, loss, settings);
  const [ofKept, ...ofHeads] = gradient(scaled(loss, lossScale), [kept, ...heads.values()]);
  const trunk = parametersBefore(network, encoded, settings);
  const ofTrunk = vectorJacobianProduct(encoded, selectRows(keptGradient, rows), [...trunk.values()]);
  const part = accumulateAll(gradients, named(trunk, ofTrunk));
  const around = aroundParts(network, gradients, part, batchStatistics, settings, lossScale);
  return {
    ...around,
    lossOfBatch,
    begin: [...around.begin, clear(kept), clear(keptGradient)],
    encode: [demand([accumulate(kept, scatterRows(encoded, rows, kept))])],
    loss: [
      demand([accumulate(keptGradient, ofKept)]),
      ...(heads.size > 0 ? [accumulateAll(gradients, named(heads, ofHeads))] : []),
    ],
  };
}

const named = (parameters: ReadonlyMap<string, Tensor>, gradients: readonly Tensor[]): Map<string, Tensor> =>
  new Map([...parameters.keys()].map((name, index) => [name, gradients[index]]));

/** The parameters that learn and that a tensor is computed from, by name. */
function parametersBefore(network: Network, tensor: Tensor, settings: OptimizerSettings): Map<string, Tensor> {
  const used = new Set(nodesBefore([tensor]).flatMap(({ inputs }) => inputs));
  return new Map([...learning(network, settings)].filter(([, parameter]) => used.has(parameter)));
}

/** The parameters of groups whose learning rate is not 0, by name. */
function learning({ parameters }: Network, { groups }: OptimizerSettings): Map<string, Tensor> {
  return new Map(
    [...parameters.entries]
      .filter(([name]) => groupOf(name, groups).learningRate !== 0)
      .map(([name, { tensor }]) => [name, tensor]),
  );
}

/** @throws RangeError where no parameter learns */
function gradientStore(network: Network, settings: OptimizerSettings): ParameterStore {
  const learns = learning(network, settings);
  if (learns.size === 0)
    throw new RangeError(
      'no parameter learns, as the learning rate of all groups that match any is 0; leave one of them more',
    );
  return network.parameters.like('gradients', (name) => learns.has(name));
}

const accumulateAll = (gradients: ParameterStore, computed: ReadonlyMap<string, Tensor>): GraphNode =>
  demand([...computed].map(([name, one]) => accumulate(gradients.get(name), one)));

/** What happens before, in and after the parts of a batch whose gradients `accumulation` adds up. */
function aroundParts(
  network: Network,
  gradients: ParameterStore,
  accumulation: GraphNode,
  batchStatistics: BatchStatistics,
  settings: OptimizerSettings,
  lossScale: LossScale | undefined,
): MicroBatchUpdate {
  const { parameters, statistics } = network;
  const begin = [clear(gradients.flat)];
  const part = [accumulation];
  const gate = nonFinite(gradients.flat);
  const { updates, moments, feeds } = optimizerUpdate(parameters, gradients, gate, settings, lossScale);
  if (batchStatistics.size > 0) {
    const pending = statistics.like('pending statistics');
    const open = constant('open gate', [2], new Uint32Array(2));
    begin.push(interpolateUpdate(pending.flat, statistics.flat, 1, open));
    part.push(statisticsUpdate(network, pending, batchStatistics, open));
    updates.push(interpolateUpdate(statistics.flat, pending.flat, 1, gate));
  }
  return { begin, part, end: { updates, gate, gradients, moments, lossScale, feeds } };
}

/** d loss / d parameter by the parameter's name, of those that learn. */
function parameterGradients(network: Network, loss: Tensor, settings: OptimizerSettings): Map<string, Tensor> {
  const parameters = learning(network, settings);
  return named(parameters, gradient(loss, [...parameters.values()]));
}

function statisticsUpdate(
  { statistics, settings }: Network,
  running: ParameterStore,
  batchStatistics: BatchStatistics,
  gate: Tensor,
): GraphNode {
  // What normalises by its running statistics leaves them: they follow themselves.
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

/** @param gate computed from all of the gradients, so that what obeys it comes after them */
function optimizerUpdate(
  parameters: ParameterStore,
  gradients: ParameterStore,
  gate: Tensor,
  settings: OptimizerSettings,
  lossScale: LossScale | undefined,
): {
  readonly updates: GraphNode[];
  readonly moments: readonly ParameterStore[];
  readonly feeds: TrainingUpdate['feeds'];
} {
  const unscaled = groupSettingsOf(settings.groups);
  const groupSettings = lossScale === undefined ? unscaled : lossScaleUpdate(gate, unscaled, lossScale);
  const ofScale = lossScale === undefined ? [] : [lossScale.store];
  const ranges = learningRanges(parameters, gradients, settings.groups).map(
    ({ first, firstGradient, length, group, tensors }) => ({
      of: (store: ParameterStore) => store.range(first, length),
      shared: {
        parameters: parameters.range(first, length),
        gradients: gradients.range(firstGradient, length),
        group,
        tensors,
        groupSettings,
        gate,
      },
    }),
  );
  const optimizer = optimizerOfSettings(settings);
  const state = optimizer.state.map((name) => parameters.like(name));
  const hyper = input('optimizer', [optimizer.hyperLength]);
  return {
    updates: ranges.map(({ of, shared }) => optimizer.update({ ...shared, hyper }, state.map(of), settings)),
    moments: [...state, ...ofScale],
    feeds: (learningRate, step) => ({ optimizer: Float32Array.from(optimizer.hyper(settings, learningRate, step)) }),
  };
}

/** Parameters that learn and follow one another: what one dispatch updates. */
interface LearningRange {
  /** Where it begins in the parameters, and in the gradients. */
  readonly first: number;
  readonly firstGradient: number;
  readonly length: number;
  /** u32 [length / ARENA_BLOCK] */
  readonly group: Tensor;
  readonly tensors: readonly ArenaTensor[];
}

/** One range where all parameters learn, or the last stages of a network. */
function learningRanges(
  parameters: ParameterStore,
  gradients: ParameterStore,
  groups: readonly ParameterGroup[],
): LearningRange[] {
  const ranges: { first: number; firstGradient: number; tensors: ArenaTensor[] }[] = [];
  for (const [name, { offset: first, tensor }] of parameters.entries) {
    const firstGradient = gradients.entries.get(name)?.offset;
    if (firstGradient === undefined) continue;
    let range = ranges.at(-1);
    if (range === undefined || first - range.first !== firstGradient - range.firstGradient)
      ranges.push((range = { first, firstGradient, tensors: [] }));
    range.tensors.push({
      length: Math.ceil(tensor.length / ARENA_BLOCK) * ARENA_BLOCK,
      group: groups.indexOf(groupOf(name, groups)),
      adapted: tensor.shape.length > 1,
    });
  }
  return ranges.map((range) => {
    const blocks = range.tensors.flatMap(({ length, group }) => new Array<number>(length / ARENA_BLOCK).fill(group));
    return {
      ...range,
      length: blocks.length * ARENA_BLOCK,
      group: constant('parameter groups', [blocks.length], Uint32Array.from(blocks)),
    };
  });
}

function groupSettingsOf(groups: readonly ParameterGroup[]): Tensor {
  const settings = Float32Array.from(
    groups.flatMap(({ learningRate, weightDecay }) => [learningRate, weightDecay, 1, 0]),
  );
  return constant('group settings', [settings.length], settings);
}

/** @throws RangeError where no group matches */
function groupOf(name: string, groups: readonly ParameterGroup[]): ParameterGroup {
  const found = groups.find(({ matches }) => matches(name));
  if (found === undefined)
    throw new RangeError(`parameter ${name} belongs to no group of the optimiser; let the last group match everything`);
  return found;
}
