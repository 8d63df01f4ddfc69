import { dot as dotKernel } from '../../../kernels/reduction/dot.ts';
import { scale as scaleKernel, scaleByConstant as scaleByConstantKernel } from '../../../kernels/elementwise/scale.ts';
import { apply, use, type GradientRule, type Op } from '../op.ts';
import { checkNumber, checkShape } from '../attributes.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';

const byConstant: Op<{ readonly factor: number }> = {
  name: 'scale',
  infer([values], { factor }) {
    checkNumber('scale', 'factor', factor);
    return [{ shape: values.shape }];
  },
  lower: ({ attributes: { factor }, inputs: [values], outputs: [scaled] }) => [
    use(scaleByConstantKernel, { count: values.length, factor }, { values, scaled }),
  ],
  gradient: ({ attributes: { factor } }, [dy]) => [dy && scale(dy, factor)],
};

/** x times a finite number. Accuracy: the float32 product, rounded once, within 2^-24 of itself. */
export function scale(x: Tensor, factor: number): Tensor {
  return apply(byConstant, [x], { factor })[0];
}

const byTensor: Op<null> = {
  name: 'scaleBy',
  infer([values, factor]) {
    if (factor.length !== 1)
      throw new ShapeError(`scaleBy: the factor is ${describe(factor)}; one element was expected`);
    return [{ shape: values.shape }];
  },
  lower: ({ inputs: [values, factor], outputs: [scaled] }) => [
    use(scaleKernel, { count: values.length }, { values, factor, scaled }),
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

/** The sum of a * b over all n elements, [1]. Accuracy: within 2^-24 * (4 sqrt(n) + 5) of the sum of |a * b|. */
export function dot(a: Tensor, b: Tensor): Tensor {
  return apply(dotOp, [a, b], null)[0];
}
