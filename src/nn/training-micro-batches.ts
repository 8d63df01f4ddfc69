/** Training steps whose batch comes in parts, each a run of its own. */
import { accumulate, clear, demand, interpolateUpdate, nonFinite } from '../autodiff/ops/effects.ts';
import { scale } from '../autodiff/ops/pointwise.ts';
import { gradient, vectorJacobianProduct } from '../autodiff/gradient.ts';
import { nodesBefore } from '../autodiff/nodes-before.ts';
import { scatterRows, selectRows } from '../autodiff/ops/rows.ts';
import { constant, input, type GraphNode, ParameterStore, type Tensor } from '../autodiff/tensor.ts';
import type { BatchStatistics } from './forward-context.ts';
import type { Network } from './layers.ts';
import { lossScaleOf, type LossScale, type LossScaling } from './loss-scaling.ts';
import type { OptimizerSettings } from './optimizers/index.ts';
import { optimizerUpdate } from './optimizers/update.ts';
import {
  gradientStore,
  learning,
  named,
  parameterGradients,
  scaled,
  statisticsUpdate,
  type TrainingUpdate,
} from './training-update.ts';

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
 * the mean of theirs. Running statistics follow each micro-batch's, one after the other, in a copy, which takes their place at
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

/** The parameters that learn and that a tensor is computed from, by name. */
function parametersBefore(network: Network, tensor: Tensor, settings: OptimizerSettings): Map<string, Tensor> {
  const used = new Set(nodesBefore([tensor]).flatMap(({ inputs }) => inputs));
  return new Map([...learning(network, settings)].filter(([, parameter]) => used.has(parameter)));
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
