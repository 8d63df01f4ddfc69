import { bias as biasKernel } from '../../../kernels/elementwise/bias.ts';
import { columnSum as columnSumKernel } from '../../../kernels/reduction/column-sum.ts';
import { apply, use, type GradientRule, type Op, type OpExamples } from '../op.ts';
import { checkShape } from '../attributes.ts';
import type { Tensor } from '../tensor.ts';

const op: Op<null> = {
  name: 'bias',
  infer([x, b]) {
    checkShape('bias', x.shape.slice(-1), b);
    return [{ shape: x.shape }];
  },
  lower: ({ inputs: [x, b], outputs: [y] }) => [
    use(biasKernel, { rows: x.length / b.length, channels: b.length }, { x, bias: b, y }),
  ],
  gradient: 'biasGradient',
};

export const biasGradient: GradientRule<null> = ({ inputs: [, b] }, [dy], [, needBias]) => [
  dy,
  dy && needBias ? apply(columnSumOp, [dy], { channels: b.length })[0] : undefined,
];

const columnSumOp: Op<{ readonly channels: number }> = {
  name: 'columnSum',
  infer: (_, { channels }) => [{ shape: [channels] }],
  lower: ({ attributes: { channels }, inputs: [x], outputs: [sums] }) => [
    use(columnSumKernel, { rows: x.length / channels, channels }, { x, sums }),
  ],
};

/**
 * x + b, with b [channels] added to each row of x [..., channels]. Accuracy: the float32 sum, rounded once, within
 * 2^-24 of itself.
 */
export function bias(x: Tensor, b: Tensor): Tensor {
  return apply(op, [x, b], null)[0];
}

export const examples: OpExamples = {
  bias: { inputs: { x: [4, 3, 5], b: [5] }, apply: ({ x, b }) => [bias(x, b)] },
};
