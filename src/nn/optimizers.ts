import { ARENA_BLOCK, adamHyper } from '../../kernels/adam.ts';
import { accumulate, adamUpdate, clear, demand, interpolateUpdate, momentumSgdUpdate, nonFinite } from '../autodiff/ops/optimizers.ts';
import { pack } from '../autodiff/ops/pack.ts';
import { scale } from '../autodiff/ops/scale.ts';
import { gradient, nodesBefore, vectorJacobianProduct } from '../autodiff/gradient.ts';
import { scatterRows, selectRows } from '../autodiff/ops/rows.ts';
import { Store } from '../autodiff/store.ts';
import { constant, input, type Node, type Tensor } from '../autodiff/tensor.ts';
import type { BatchStatistics, Network } from './layers.ts';

/** Parameters that are treated alike. */
export interface ParameterGroup {
  /** Which parameters, by name; the first group that matches wins. */
  readonly matches: (name: string) => boolean;
  /** Times the learning rate; 0 keeps the group as it is. */
  readonly learningRate: number;
  readonly weightDecay: number;
}

export type OptimizerSettings =
  | { readonly kind: 'adam' | 'adamw'; readonly beta1: number; readonly beta2: number; readonly epsilon: number; readonly groups: readonly ParameterGroup[] }
  | { readonly kind: 'sgd'; readonly momentum: number; readonly nesterov: boolean; readonly groups: readonly ParameterGroup[] };

/** PyTorch's defaults, with one group for all parameters. */
export function adamSettings(weightDecay: number, kind: 'adam' | 'adamw' = 'adam'): OptimizerSettings {
  return { kind, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, groups: [{ matches: () => true, learningRate: 1, weightDecay }] };
}

/** Stochastic gradient descent with momentum, one group for all parameters. */
export function sgdSettings(weightDecay: number, momentum = 0.9): OptimizerSettings {
  return { kind: 'sgd', momentum, nesterov: false, groups: [{ matches: () => true, learningRate: 1, weightDecay }] };
}

/** The end of a training step: gradients of all parameters, the optimiser's update, the running statistics' update. */
export interface TrainingUpdate {
  /** For Program.compile. */
  readonly updates: readonly Node[];
  /** u32 [2] as bits: count of non-finite gradient elements, and the first of them in the flat gradient store. */
  readonly gate: Tensor;
  readonly gradients: Store;
  /** The optimiser's moments, to be saved with the parameters. */
  readonly moments: readonly Store[];
  /** The program's input `optimizer` for a step, counted from 1. */
  hyper(learningRate: number, step: number): Float32Array;
}

/**
 * Builds the update of a network's parameters by the gradient of a loss. Nothing changes where a gradient is not finite.
 * @param loss [1]
 */
export function trainingUpdate(network: Network, loss: Tensor, batchStatistics: BatchStatistics, settings: OptimizerSettings): TrainingUpdate {
  const gradients = network.parameters.like('gradients');
  const flat = pack(parameterGradients(network, loss), gradients);
  const gate = nonFinite(flat);
  const { updates, moments, hyper } = optimizerUpdate(network.parameters, flat, gate, settings);
  if (batchStatistics.size > 0) updates.push(statisticsUpdate(network, network.statistics, batchStatistics, gate));
  return { updates, gate, gradients, moments, hyper };
}

/** A training step whose batch comes in parts, each a run of its own. */
export interface MicroBatchUpdate {
  /** Updates of a run before the parts. */
  readonly begin: readonly Node[];
  /** Updates of the run of each part. */
  readonly part: readonly Node[];
  /** Those of a run after the parts. */
  readonly end: TrainingUpdate;
}

/**
 * Like `trainingUpdate`, with the gradient summed over `parts` micro-batches in their order. The loss of the step is the mean
 * of theirs. Running statistics follow each micro-batch's in turn, but in a copy, which takes their place at the end of a step
 * whose gradients are finite.
 * @param loss [1], of one micro-batch
 */
export function microBatchUpdate(network: Network, loss: Tensor, batchStatistics: BatchStatistics, settings: OptimizerSettings, parts: number): MicroBatchUpdate {
  const gradients = network.parameters.like('gradients');
  const computed = parameterGradients(network, scale(loss, 1 / parts));
  return aroundParts(network, gradients, accumulateAll(gradients, computed), batchStatistics, settings);
}

/** A training step for a loss over the whole batch, whose network sees the batch in parts: gradient caching. */
export interface CachedUpdate<Loss> extends MicroBatchUpdate {
  /**
   * Updates of the first run of each part, after `begin`: it keeps what the network makes of its images. Both runs of a part have
   * an input `rows`, u32 [its count]: which images of the batch they are.
   */
  readonly encode: readonly Node[];
  /** Updates of the run of the loss, on the whole batch as it was kept, before the runs of `part`. */
  readonly loss: readonly Node[];
  readonly lossOfBatch: Loss;
}

/**
 * Like `trainingUpdate` for a batch in parts and a loss that cannot be split (Gao, Zhang, Han and Callan 2021, "Scaling deep contrastive
 * learning batch size under memory limited setup"): all parts are encoded and what comes out is kept, without activations; the
 * loss and its gradient by what was kept are those of the whole batch; then each part is encoded once more and its share of that gradient
 * propagated through it. Running statistics follow the parts as in `microBatchUpdate`.
 * @param encoded [part, width], what the network makes of a part
 * @param lossOf the loss [1] of the batch, and what else is wanted, from all that was kept, [batch, width]
 */
export function cachedUpdate<Loss extends { readonly loss: Tensor }>(
  network: Network,
  { encoded, batchStatistics }: { readonly encoded: Tensor; readonly batchStatistics: BatchStatistics },
  lossOf: (kept: Tensor) => Loss,
  settings: OptimizerSettings,
  parts: number,
): CachedUpdate<Loss> {
  const [count, width] = encoded.shape;
  const keep = (name: string): Tensor => new Store(name).add(name, [parts * count, width]);
  const kept = keep('encoded batch');
  const keptGradient = keep('gradient of the encoded batch');
  const gradients = network.parameters.like('gradients');
  const rows = input('rows', [count], 'u32');

  const lossOfBatch = lossOf(kept);
  const { loss } = lossOfBatch;
  const heads = parametersBefore(network, loss);
  const [ofKept, ...ofHeads] = gradient(loss, [kept, ...heads.values()]);
  const trunk = parametersBefore(network, encoded);
  const ofTrunk = vectorJacobianProduct(encoded, selectRows(keptGradient, rows), [...trunk.values()]);
  const part = accumulateAll(gradients, named(trunk, ofTrunk));
  const around = aroundParts(network, gradients, part, batchStatistics, settings);
  return {
    ...around,
    lossOfBatch,
    begin: [...around.begin, clear(kept), clear(keptGradient)],
    encode: [demand([accumulate(kept, scatterRows(encoded, rows, kept))])],
    loss: [demand([accumulate(keptGradient, ofKept)]), ...(heads.size > 0 ? [accumulateAll(gradients, named(heads, ofHeads))] : [])],
  };
}

const named = (parameters: ReadonlyMap<string, Tensor>, gradients: readonly Tensor[]): Map<string, Tensor> => new Map([...parameters.keys()].map((name, index) => [name, gradients[index]]));

/** The parameters that a tensor is computed from, by name. */
function parametersBefore({ parameters }: Network, tensor: Tensor): Map<string, Tensor> {
  const used = new Set(nodesBefore([tensor]).flatMap(({ inputs }) => inputs));
  return new Map([...parameters.entries].map(([name, entry]): [string, Tensor] => [name, entry.tensor]).filter(([, parameter]) => used.has(parameter)));
}

const accumulateAll = (gradients: Store, computed: ReadonlyMap<string, Tensor>): Node => demand([...computed].map(([name, one]) => accumulate(gradients.get(name), one)));

/** What happens before, in and after the parts of a batch whose gradients `accumulation` adds up. */
function aroundParts(network: Network, gradients: Store, accumulation: Node, batchStatistics: BatchStatistics, settings: OptimizerSettings): MicroBatchUpdate {
  const { parameters, statistics } = network;
  const begin = [clear(gradients.flat)];
  const part = [accumulation];
  const gate = nonFinite(gradients.flat);
  const { updates, moments, hyper } = optimizerUpdate(parameters, gradients.flat, gate, settings);
  if (batchStatistics.size > 0) {
    const pending = statistics.like('pending statistics');
    const open = constant('open gate', [2], new Uint32Array(2));
    begin.push(interpolateUpdate(pending.flat, statistics.flat, 1, open));
    part.push(statisticsUpdate(network, pending, batchStatistics, open));
    updates.push(interpolateUpdate(statistics.flat, pending.flat, 1, gate));
  }
  return { begin, part, end: { updates, gate, gradients, moments, hyper } };
}

/** d loss / d parameter by the parameter's name. */
function parameterGradients({ parameters }: Network, loss: Tensor): Map<string, Tensor> {
  const names = [...parameters.entries.keys()];
  const computed = gradient(loss, names.map((name) => parameters.get(name)));
  return new Map(names.map((name, index) => [name, computed[index]]));
}

function statisticsUpdate({ statistics, settings }: Network, running: Store, batchStatistics: BatchStatistics, gate: Tensor): Node {
  return interpolateUpdate(running.flat, pack(batchStatistics, statistics.like('batch statistics')), settings.batchNormMomentum, gate);
}

/** @param gradients in the layout of the parameters */
function optimizerUpdate(
  parameters: Store,
  gradients: Tensor,
  gate: Tensor,
  settings: OptimizerSettings,
): { readonly updates: Node[]; readonly moments: readonly Store[]; readonly hyper: TrainingUpdate['hyper'] } {
  const { group, groupSettings } = groupTensors(parameters, settings.groups);
  const shared = { parameters: parameters.flat, gradients, group, groupSettings, gate };
  if (settings.kind === 'sgd') {
    const velocity = parameters.like('velocity');
    const update = momentumSgdUpdate({ ...shared, velocity: velocity.flat, hyper: input('optimizer', [2]) }, settings.nesterov);
    return { updates: [update], moments: [velocity], hyper: (learningRate) => Float32Array.of(learningRate, settings.momentum) };
  }
  const firstMoment = parameters.like('first moment');
  const secondMoment = parameters.like('second moment');
  const operands = { ...shared, firstMoment: firstMoment.flat, secondMoment: secondMoment.flat, hyper: input('optimizer', [8]) };
  return {
    updates: [adamUpdate(operands, settings.kind === 'adamw')],
    moments: [firstMoment, secondMoment],
    hyper: (learningRate, step) => Float32Array.from(adamHyper({ ...settings, learningRate }, step)),
  };
}

function groupTensors(parameters: Store, groups: readonly ParameterGroup[]): { readonly group: Tensor; readonly groupSettings: Tensor } {
  const blocks = new Uint32Array(parameters.length / ARENA_BLOCK);
  for (const [name, { tensor, offset }] of parameters.entries) {
    const index = groups.findIndex(({ matches }) => matches(name));
    if (index < 0) throw new RangeError(`parameter ${name} belongs to no group of the optimiser; let the last group match everything`);
    blocks.fill(index, offset / ARENA_BLOCK, Math.ceil((offset + tensor.length) / ARENA_BLOCK));
  }
  const settings = Float32Array.from(groups.flatMap(({ learningRate, weightDecay }) => [learningRate, weightDecay, 0, 0]));
  return { group: constant('parameter groups', [blocks.length], blocks), groupSettings: constant('group settings', [settings.length], settings) };
}
