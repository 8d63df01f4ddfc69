import { broadcast as broadcastFunction } from '../../../kernels/elementwise/functions.ts';
import { axisSum as axisSumKernel } from '../../../kernels/reduction/axis-sum.ts';
import { columnSum as columnSumKernel } from '../../../kernels/reduction/column-sum.ts';
import { sameShape } from '../attributes.ts';
import { broadcastProblem, checkBroadcast } from '../broadcasting.ts';
import { apply, use, type GradientRule, type Op } from '../op.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { pointwise, type PointwiseAttributes } from './pointwise-function.ts';
import { reshape } from './reshape.ts';

/**
 * x repeated to a larger shape, as NumPy broadcasts: shapes are compared from the last axis to the first, and x is
 * repeated along axes where it has the size 1 or which it lacks. Exact. Its gradient is `sumTo`.
 * @throws ShapeError where x has another size along an axis
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  checkBroadcast('broadcastTo', x.shape, shape);
  return sameShape(x.shape, shape) ? x : pointwise(broadcastFunction, [x], {}, shape);
}

const axisSumOp: Op<null> = {
  name: 'axisSum',
  infer: ([
    {
      shape: [outer, , inner],
    },
  ]) => [{ shape: [outer, 1, inner] }],
  lower: ({ inputs: [x], outputs: [sums] }) => {
    const [outer, rows, inner] = x.shape;
    return outer === 1
      ? [use(columnSumKernel, { rows, channels: inner }, { x, sums })]
      : [use(axisSumKernel, { outer, rows, inner }, { x, sums })];
  },
  gradient: ({ inputs: [x] }, [dsums]) => [dsums && broadcastTo(dsums, x.shape)],
};

/**
 * The converse of `broadcastTo`, and its gradient: x summed over the axes along which a tensor of a shape would be
 * repeated to become one of x's shape. Sums are made of blocks in a fixed order; one of n elements is within
 * 2^-24 * (4 sqrt(n) + 2) of the sum of magnitudes.
 * @throws ShapeError where the shape cannot be broadcast to x's
 */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  checkBroadcast('sumTo', shape, x.shape);
  if (sameShape(x.shape, shape)) return x;
  // Axis by axis of the collapsed shape, the innermost first: what is added then is contiguous for those that follow.
  const { axes = [] } = broadcastProblem(x.shape, [shape]);
  let sums = x;
  let inner = 1;
  let outer = x.length;
  for (const [size, kept] of [...axes].reverse()) {
    outer /= size;
    if (kept === 1) inner *= size;
    else sums = apply(axisSumOp, [reshape(sums, [outer, size, inner])], null)[0];
  }
  return reshape(sums, shape);
}

/** The gradients that a function of the table declares, summed over what was broadcast. */
export const pointwiseGradient: GradientRule<PointwiseAttributes> = (
  { attributes: { function: of, parameters }, inputs, outputs: [y] },
  [dy],
  needed,
) =>
  inputs.map((input, index) => {
    const derivative = of.derivatives?.[index];
    if (dy === undefined || derivative === undefined || !needed[index]) return undefined;
    if (derivative === 'dy') return sumTo(dy, input.shape);
    const tensors: Readonly<Record<string, Tensor>> = {
      ...Object.fromEntries(inputs.map((tensor, operand) => [of.operands[operand], tensor])),
      dy,
      y,
    };
    const known = { ...parameters, ...derivative.parameters };
    const names = Object.keys(derivative.function.parameters ?? {});
    return sumTo(
      pointwise(
        derivative.function,
        derivative.of.map((name) => tensors[name]),
        Object.fromEntries(names.map((name) => [name, known[name]])),
      ),
      input.shape,
    );
  });
