import { dot as dotKernel } from '../../../kernels/reduction/dot.ts';
import { multiply } from '../../../kernels/elementwise/functions.ts';
import { pointwiseKernel } from '../../../kernels/elementwise/pointwise.ts';
import { apply, use, type GradientRule, type Op } from '../op.ts';
import { checkShape } from '../attributes.ts';
import { broadcastProblem } from '../broadcasting.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';

const byTensor: Op<null> = {
  name: 'scaleBy',
  infer([values, factor]) {
    if (factor.length !== 1)
      throw new ShapeError(`scaleBy: the factor is ${describe(factor)}; one element was expected`);
    return [{ shape: values.shape }];
  },
  lower: ({ inputs: [values, factor], outputs: [scaled] }) => [
    use(pointwiseKernel(multiply), broadcastProblem([values.length], [[values.length], [1]]), {
      a: values,
      b: factor,
      result: scaled,
    }),
  ],
  gradient: 'scaleByGradient',
};

export const scaleByGradient: GradientRule<null> = ({ inputs: [values, factor] }, [dy], [needValues, needFactor]) => [
  dy && needValues ? scaleBy(dy, factor) : undefined,
  dy && needFactor ? dot(dy, values) : undefined,
];

/** x times a tensor of one element, such as a loss's weight that the host changes from step to step. */
export function scaleBy(x: Tensor, factor: Tensor): Tensor {
  return apply(byTensor, [x, factor], null)[0];
}

const dotOp: Op<null> = {
  name: 'dot',
  infer([a, b]) {
    checkShape('dot', a.shape, b);
    return [{ shape: [1] }];
  },
  lower: ({ inputs: [a, b], outputs: [product] }) => [use(dotKernel, { count: a.length }, { a, b, product })],
  gradient: ({ inputs: [a, b] }, [dy], [needA, needB]) => [
    dy && needA ? scaleBy(b, dy) : undefined,
    dy && needB ? scaleBy(a, dy) : undefined,
  ],
};

/** The sum of a * b over all n elements, [1]. Accuracy: within 2^-24 * (4 sqrt(n) + 5) of the sum of |a * b|. @internal */
export function dot(a: Tensor, b: Tensor): Tensor {
  return apply(dotOp, [a, b], null)[0];
}
