import { accumulate as accumulateKernel } from '../../../kernels/elementwise/accumulate.ts';
import { adam as adamKernel } from '../../../kernels/optimizer/adam.ts';
import { fill as fillKernel } from '../../../kernels/elementwise/fill.ts';
import { momentumSgd as momentumSgdKernel } from '../../../kernels/optimizer/momentum-sgd.ts';
import { nonFinite as nonFiniteKernel } from '../../../kernels/reduction/non-finite.ts';
import { interpolate as interpolateKernel } from '../../../kernels/elementwise/interpolate.ts';
import { lossScale as lossScaleKernel } from '../../../kernels/optimizer/loss-scale.ts';
import { movingAverage as movingAverageKernel } from '../../../kernels/normalization/moving-average.ts';
import { lamb as lambKernel } from '../../../kernels/optimizer/lamb.ts';
import { lars as larsKernel } from '../../../kernels/optimizer/lars.ts';
import { SEGMENT_FIELDS, type SegmentedProblem } from '../../../kernels/optimizer/tensor-norms.ts';
import { apply, applyNode, use, type Op } from '../op.ts';
import { checkShape } from '../attributes.ts';
import type { GraphNode, Tensor } from '../tensor.ts';

/**
 * Effects: nodes that change stored tensors at the end of a run. What changes parameters or statistics takes a `gate`,
 * see `nonFinite`.
 */

const nonFiniteOp: Op<null> = {
  name: 'nonFinite',
  infer: () => [{ shape: [2], type: 'u32' }],
  lower: ({ inputs: [values], outputs: [report] }) => [
    use(nonFiniteKernel, { count: values.length }, { values, report }),
  ],
};

/**
 * How many elements are NaN or infinite, and the index of the first: u32 [2]. Effects that take it as their gate change
 * nothing where the count is above zero, so that one bad step never reaches the weights.
 * @internal
 */
export function nonFinite(values: Tensor): Tensor {
  return apply(nonFiniteOp, [values], null)[0];
}

const lossScaleOp: Op<{ readonly scale: Tensor; readonly steps: Tensor; readonly interval: number }> = {
  name: 'lossScale',
  effect: true,
  infer: ([, groupSettings]) => [{ shape: groupSettings.shape, name: groupSettings.name }],
  lower: ({ attributes: { scale, steps, interval }, inputs: [report, groupSettings], outputs: [scaledSettings] }) => [
    use(
      lossScaleKernel,
      { groups: groupSettings.length / 4, interval },
      { report, scale, steps, groupSettings, scaledSettings },
    ),
  ],
};

/**
 * Lets a loss scale follow from what `nonFinite` reports of a step's gradients, see kernels/optimizer/loss-scale.ts. Call it once
 * the whole gradient is built: whatever reads the scale was computed before.
 * @param scale, steps stored [1] and [2], changed in place
 * @returns the group settings by which an update undoes the scale of this step
 * @internal
 */
export function lossScaleUpdate(
  report: Tensor,
  groupSettings: Tensor,
  state: { readonly scale: Tensor; readonly steps: Tensor; readonly interval: number },
): Tensor {
  return apply(lossScaleOp, [report, groupSettings], state)[0];
}

/** What an update of flat arenas needs; all but hyper, group settings and gate are [n]. @internal */
export interface UpdateOperands {
  readonly parameters: Tensor;
  readonly gradients: Tensor;
  /** u32 [n / 64]: the parameter group of each block of 64 elements. */
  readonly group: Tensor;
  /** f32 [groups * 4]: the multiplier of the learning rate, weight decay, factor of the gradients, 0. */
  readonly groupSettings: Tensor;
  /** Learning rate and the rest, written by the host each step. */
  readonly hyper: Tensor;
  readonly gate: Tensor;
}

const adamOp: Op<{ readonly decoupled: boolean }> = {
  name: 'adam',
  effect: true,
  infer: () => [],
  indices: ({ inputs: [, , , , group, groupSettings] }) => [{ indices: group, end: groupSettings.length / 4 }],
  lower: ({
    attributes,
    inputs: [parameters, gradients, firstMoment, secondMoment, group, groupSettings, hyper, gate],
  }) => [
    use(
      adamKernel,
      { count: parameters.length, groups: groupSettings.length / 4, ...attributes },
      { parameters, gradients, firstMoment, secondMoment, group, groupSettings, hyper, gate },
    ),
  ],
};

/** One step of Adam, or of AdamW where `decoupled`, in place. `hyper` is adamHyper's. @internal */
export function adamUpdate(
  operands: UpdateOperands & { readonly firstMoment: Tensor; readonly secondMoment: Tensor },
  decoupled: boolean,
): GraphNode {
  const { parameters, gradients, firstMoment, secondMoment, group, groupSettings, hyper, gate } = operands;
  return applyNode(adamOp, [parameters, gradients, firstMoment, secondMoment, group, groupSettings, hyper, gate], {
    decoupled,
  });
}

const momentumSgdOp: Op<{ readonly nesterov: boolean }> = {
  name: 'momentumSgd',
  effect: true,
  infer: () => [],
  indices: ({ inputs: [, , , group, groupSettings] }) => [{ indices: group, end: groupSettings.length / 4 }],
  lower: ({ attributes, inputs: [parameters, gradients, velocity, group, groupSettings, hyper, gate] }) => [
    use(
      momentumSgdKernel,
      { count: parameters.length, groups: groupSettings.length / 4, ...attributes },
      { parameters, gradients, velocity, group, groupSettings, hyper, gate },
    ),
  ],
};

/** One step of stochastic gradient descent with momentum, in place. `hyper` is [learning rate, momentum]. @internal */
export function momentumSgdUpdate(
  operands: UpdateOperands & { readonly velocity: Tensor },
  nesterov: boolean,
): GraphNode {
  const { parameters, gradients, velocity, group, groupSettings, hyper, gate } = operands;
  return applyNode(momentumSgdOp, [parameters, gradients, velocity, group, groupSettings, hyper, gate], { nesterov });
}

/** What an update with norms of whole tensors needs; all but segments, group settings, hyper and gate are [n]. @internal */
export interface SegmentedOperands {
  readonly parameters: Tensor;
  readonly gradients: Tensor;
  /** u32, the table of the tensors: see kernels/optimizer/tensor-norms.ts. */
  readonly segments: Tensor;
  readonly groupSettings: Tensor;
  readonly hyper: Tensor;
  readonly gate: Tensor;
}

const segmentedProblem = (parameters: Tensor, segments: Tensor, groupSettings: Tensor): SegmentedProblem => ({
  count: parameters.length,
  groups: groupSettings.length / 4,
  segments: segments.length / SEGMENT_FIELDS,
});

const lambOp: Op<null> = {
  name: 'lamb',
  effect: true,
  infer: () => [],
  lower: ({ inputs: [parameters, gradients, firstMoment, secondMoment, segments, groupSettings, hyper, gate] }) => [
    use(lambKernel, segmentedProblem(parameters, segments, groupSettings), {
      parameters,
      gradients,
      firstMoment,
      secondMoment,
      segments,
      groupSettings,
      hyper,
      gate,
    }),
  ],
};

/** One step of LAMB, in place. `hyper` is adamHyper's. @internal */
export function lambUpdate(
  operands: SegmentedOperands & { readonly firstMoment: Tensor; readonly secondMoment: Tensor },
): GraphNode {
  const { parameters, gradients, firstMoment, secondMoment, segments, groupSettings, hyper, gate } = operands;
  return applyNode(
    lambOp,
    [parameters, gradients, firstMoment, secondMoment, segments, groupSettings, hyper, gate],
    null,
  );
}

const larsOp: Op<null> = {
  name: 'lars',
  effect: true,
  infer: () => [],
  lower: ({ inputs: [parameters, gradients, velocity, segments, groupSettings, hyper, gate] }) => [
    use(larsKernel, segmentedProblem(parameters, segments, groupSettings), {
      parameters,
      gradients,
      velocity,
      segments,
      groupSettings,
      hyper,
      gate,
    }),
  ],
};

/** One step of LARS, in place. `hyper` is [learning rate, momentum, trust coefficient, epsilon]. @internal */
export function larsUpdate(operands: SegmentedOperands & { readonly velocity: Tensor }): GraphNode {
  const { parameters, gradients, velocity, segments, groupSettings, hyper, gate } = operands;
  return applyNode(larsOp, [parameters, gradients, velocity, segments, groupSettings, hyper, gate], null);
}

const interpolateOp: Op<{ readonly momentum: number }> = {
  name: 'interpolate',
  effect: true,
  infer: () => [],
  lower: ({ attributes: { momentum }, inputs: [running, batch, gate] }) => [
    use(interpolateKernel, { count: running.length, momentum }, { running, batch, gate }),
  ],
};

/** running += momentum * (batch - running), in place: running statistics of batch normalisation. @internal */
export function interpolateUpdate(running: Tensor, batch: Tensor, momentum: number, gate: Tensor): GraphNode {
  return applyNode(interpolateOp, [running, batch, gate], { momentum });
}

const movingAverageOp: Op<null> = {
  name: 'movingAverage',
  effect: true,
  infer([average, values, share]) {
    checkShape('movingAverage', average.shape, values);
    checkShape('movingAverage', [1], share);
    return [];
  },
  lower: ({ inputs: [average, values, share, gate] }) => [
    use(movingAverageKernel, { count: average.length }, { average, values, share, gate }),
  ],
};

/**
 * average += share * (values - average), in place: an average of weights over the steps of a training. @param share [1]
 * @internal
 */
export function movingAverageUpdate(average: Tensor, values: Tensor, share: Tensor, gate: Tensor): GraphNode {
  return applyNode(movingAverageOp, [average, values, share, gate], null);
}

const accumulateOp: Op<{ readonly total: Tensor }> = {
  name: 'accumulate',
  effect: true,
  eager: true,
  infer: ([part], { total }) => {
    checkShape('accumulate', total.shape, part);
    return [{ shape: total.shape, name: total.name }];
  },
  // The output is the stored tensor itself, so that its users see the sum.
  pins: ({
    attributes: {
      total: { origin },
    },
    outputs: [sum],
  }) => (origin.kind === 'stored' ? [{ tensor: sum, store: origin.store, offset: origin.offset }] : []),
  lower: ({ inputs: [part], outputs: [total] }) => [use(accumulateKernel, { count: part.length }, { total, part })],
};

/** total += part, in place, as soon as the part is there. @param total a stored tensor @returns it, after the sum @internal */
export function accumulate(total: Tensor, part: Tensor): Tensor {
  return apply(accumulateOp, [part], { total })[0];
}

const clearOp: Op<null> = {
  name: 'clear',
  effect: true,
  infer: () => [],
  lower: ({ inputs: [values] }) => [use(fillKernel, { count: values.length, value: 0 }, { values })],
};

/** Makes a stored tensor zero. @internal */
export function clear(values: Tensor): GraphNode {
  return applyNode(clearOp, [values], null);
}

const demandOp: Op<null> = {
  name: 'demand',
  effect: true,
  infer: () => [],
  lower: () => [],
};

/** An update that does nothing but have its inputs computed, for the sake of their own effects. @internal */
export function demand(tensors: readonly Tensor[]): GraphNode {
  return applyNode(demandOp, tensors, null);
}
