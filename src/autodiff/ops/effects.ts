import { accumulate as accumulateKernel } from '../../../kernels/elementwise/accumulate.ts';
import { fill as fillKernel } from '../../../kernels/elementwise/fill.ts';
import { nonFinite as nonFiniteKernel } from '../../../kernels/reduction/non-finite.ts';
import { interpolate as interpolateKernel } from '../../../kernels/elementwise/interpolate.ts';
import { lossScale as lossScaleKernel } from '../../../kernels/optimizer/loss-scale.ts';
import { movingAverage as movingAverageKernel } from '../../../kernels/normalization/moving-average.ts';
import type { AnyKernel, Kernel } from '../../../kernels/kernel.ts';
import type { ArenaProblem } from '../../../kernels/optimizer/arena.ts';
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

interface UpdateAttributes {
  /** Names of the inputs, which are the kernel's. */
  readonly names: readonly string[];
  readonly problem: ArenaProblem;
}

const updateOps = new WeakMap<AnyKernel, Op<UpdateAttributes>>();

const makeUpdateOp = (kernel: Kernel<ArenaProblem>): Op<UpdateAttributes> => ({
  name: kernel.name,
  effect: true,
  infer: () => [],
  indices: ({ attributes: { names, problem }, inputs }) => {
    const group = names.indexOf('group');
    return group < 0 ? [] : [{ indices: inputs[group], end: problem.groups }];
  },
  lower: ({ attributes: { names, problem }, inputs }) => [
    use(kernel, problem, Object.fromEntries(inputs.map((tensor, index) => [names[index], tensor]))),
  ],
});

/**
 * One step of an optimizer over a flat arena of parameters, in place.
 * @param kernel of the family `optimizer`
 * @param operands tensors by the names of the kernel's operands
 * @internal
 */
export function update<Problem extends ArenaProblem>(
  kernel: Kernel<Problem>,
  problem: Problem,
  operands: Readonly<Record<string, Tensor>>,
): GraphNode {
  let op = updateOps.get(kernel as AnyKernel);
  if (op === undefined)
    updateOps.set(kernel as AnyKernel, (op = makeUpdateOp(kernel as unknown as Kernel<ArenaProblem>)));
  return applyNode(op, Object.values(operands), { names: Object.keys(operands), problem });
}

const interpolateOp: Op<{ readonly momentum: number }> = {
  name: 'interpolate',
  effect: true,
  infer: () => [],
  lower: ({ attributes: { momentum }, inputs: [running, batch, gate] }) => [
    use(interpolateKernel, { count: running.length, momentum }, { running, batch, gate }),
  ],
};

/** running += momentum * (batch - running), in place: running statistics of batch normalization. @internal */
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
