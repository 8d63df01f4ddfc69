import { logSumExp as kernel } from '../../../kernels/reduction/log-sum-exp.ts';
import { apply, use, type Op, type OpExamples } from '../op.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';
import { exp, multiply, subtract } from './pointwise.ts';

const op: Op<null> = {
  name: 'logSumExp',
  infer([x]) {
    if (x.shape.length === 0 || x.length === 0)
      throw new ShapeError(`logSumExp: ${describe(x)}; at least one axis and one element were expected`);
    return [{ shape: [...x.shape.slice(0, -1), 1] }];
  },
  lower: ({ inputs: [x], outputs: [y] }) => [use(kernel, { rows: y.length, width: x.length / y.length }, { x, y })],
  // softmax(x) is exp(x - y).
  gradient: ({ inputs: [x], outputs: [y] }, [dy]) => [dy && multiply(exp(subtract(x, y)), dy)],
};

/**
 * log(sum of exp(x)) over the last axis, which stays as an axis of one element, so that the result is broadcast against x:
 * `subtract(x, logSumExp(x))` is the logarithm of a softmax. Nothing overflows. A row of -Infinity alone gives
 * -Infinity, one with Infinity gives that. Accuracy: that of WGSL's log, 2^-21, and of exp, 2^-23 (3 + 2 |x - max x|).
 * @param x [..., n]
 * @returns [..., 1]
 * @throws ShapeError where x has no axis
 */
export function logSumExp(x: Tensor): Tensor {
  return apply(op, [x], null)[0];
}

export const examples: OpExamples = {
  logSumExp: { inputs: { x: [2, 3, 9] }, apply: ({ x }) => [logSumExp(x)], reduction: 9 },
};
