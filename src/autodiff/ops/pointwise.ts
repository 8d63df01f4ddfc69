import { multiply as multiplyKernel } from '../../../kernels/elementwise/multiply.ts';
import { relu as reluKernel } from '../../../kernels/elementwise/relu.ts';
import { reluGradient as reluGradientKernel } from '../../../kernels/elementwise/relu-gradient.ts';
import { apply, stored, use, type GradientRule, type Op } from '../op.ts';
import { checkShape } from '../attributes.ts';
import type { Tensor } from '../tensor.ts';

const reluOp: Op<null> = {
  name: 'relu',
  takesHalves: true,
  infer: ([x]) => [{ shape: x.shape, type: x.type }],
  lower: ({ inputs: [x], outputs: [y] }) => [use(reluKernel, { count: x.length, ...stored(x) }, { x, y })],
  gradient: 'reluGradient',
};

export const reluGradient: GradientRule<null> = ({ outputs: [y] }, [dy]) => [
  dy && apply(reluGradientOp, [y, dy], null)[0],
];

const reluGradientOp: Op<null> = {
  name: 'reluGradient',
  takesHalves: true,
  infer: ([y]) => [{ shape: y.shape, type: y.type }],
  lower: ({ inputs: [y, dy], outputs: [dx] }) => [
    use(reluGradientKernel, { count: y.length, ...stored(y) }, { y, dy, dx }),
  ],
};

/** max(x, 0), exact; NaN stays NaN. Its gradient at 0 is 0. */
export function relu(x: Tensor): Tensor {
  return apply(reluOp, [x], null)[0];
}

const multiplyOp: Op<null> = {
  name: 'multiply',
  infer([a, b]) {
    checkShape('multiply', a.shape, b);
    return [{ shape: a.shape }];
  },
  lower: ({ inputs: [a, b], outputs: [product] }) => [use(multiplyKernel, { count: a.length }, { a, b, product })],
  gradient: ({ inputs: [a, b] }, [dy], [needA, needB]) => [
    dy && needA ? multiply(dy, b) : undefined,
    dy && needB ? multiply(dy, a) : undefined,
  ],
};

/**
 * a * b, element by element, of the same shape. Accuracy: the float32 product, rounded once, within 2^-24 of itself.
 */
export function multiply(a: Tensor, b: Tensor): Tensor {
  return apply(multiplyOp, [a, b], null)[0];
}
