import { l2Normalize as forwardKernel } from '../../../kernels/normalization/l2-normalize.ts';
import { l2NormalizeGradient as gradientKernel } from '../../../kernels/normalization/l2-normalize-gradient.ts';
import { apply, use, type GradientRule, type Op } from '../op.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';

const rowsOf = ({ shape: [rows, width] }: Tensor): { rows: number; width: number } => ({ rows, width });

const op: Op<null> = {
  name: 'l2Normalize',
  infer([x]) {
    if (x.shape.length !== 2) throw new ShapeError(`l2Normalize: ${describe(x)}; [rows, width] was expected`);
    return [{ shape: x.shape }, { shape: [x.shape[0]], name: 'norm' }];
  },
  lower: ({ inputs: [x], outputs: [f, norm] }) => [use(forwardKernel, rowsOf(x), { x, f, norm })],
  gradient: 'l2NormalizeGradient',
};

export const l2NormalizeGradient: GradientRule<null> = ({ outputs: [f, norm] }, [dy]) => [
  dy && apply(gradientOp, [f, norm, dy], null)[0],
];

const gradientOp: Op<null> = {
  name: 'l2NormalizeGradient',
  infer: ([f]) => [{ shape: f.shape }],
  lower: ({ inputs: [f, norm, dy], outputs: [dx] }) => [use(gradientKernel, rowsOf(f), { f, norm, dy, dx })],
};

/**
 * Each row divided by its Euclidean length. Accuracy, with eps = 2^-24: each element within eps * (2 sqrt(width) + 16)
 * of itself, since the error of a length is half that of the sum of squares. Squares above 3.4e38 overflow: a row whose
 * elements are near 1e20 or larger has the length infinity and becomes 0.
 * @param x [rows, width]
 */
export function l2Normalize(x: Tensor): Tensor {
  return apply(op, [x], null)[0];
}
