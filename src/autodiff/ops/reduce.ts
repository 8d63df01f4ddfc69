import { reduceSum as reduceSumKernel } from '../../../kernels/reduction/reduce-sum.ts';
import { apply, use, type Op, type OpExamples } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { broadcastTo } from './broadcast.ts';
import { scale } from './pointwise.ts';

const op: Op<{ readonly factor: number }> = {
  name: 'sum',
  infer: () => [{ shape: [1] }],
  lower: ({ attributes: { factor }, inputs: [values], outputs: [sum] }) => [
    use(reduceSumKernel, { count: values.length, factor }, { values, sum }),
  ],
  gradient: ({ attributes: { factor }, inputs: [x] }, [dy]) => [dy && broadcastTo(scale(dy, factor), x.shape)],
};

/**
 * The sum of all elements, [1]. Accuracy: within 2^-24 * (4 sqrt(n) + 4) of the sum of magnitudes; the additions are
 * blocked, so that the error is far less.
 */
export function sum(x: Tensor): Tensor {
  return apply(op, [x], { factor: 1 })[0];
}

/** The mean of all elements, [1]. Accuracy: that of `sum`. */
export function mean(x: Tensor): Tensor {
  return apply(op, [x], { factor: 1 / x.length })[0];
}

export const examples: OpExamples = {
  sum: { inputs: { x: [9, 11] }, apply: ({ x }) => [sum(x)], reduction: 99 },
  mean: { inputs: { x: [9, 11] }, apply: ({ x }) => [mean(x)], reduction: 99 },
};
