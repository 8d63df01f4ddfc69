import { cast as castKernel } from '../../../kernels/elementwise/cast.ts';
import type { FloatType } from '../../../kernels/contract/dispatch.ts';
import { apply, use, type Op } from '../op.ts';
import { floatType, type Tensor } from '../tensor.ts';

const op: Op<{ readonly to: FloatType }> = {
  name: 'cast',
  takesHalves: true,
  infer: ([x], { to }) => [{ shape: x.shape, type: to, name: x.name }],
  lower: ({ attributes: { to }, inputs: [values], outputs: [result] }) => [
    use(castKernel, { count: values.length, to }, { values, cast: result }),
  ],
  gradient: ({ inputs: [x] }, [dy]) => [dy && cast(dy, floatType(x))],
};

/**
 * The same numbers stored as 16-bit or as 32-bit floats, rounded to nearest; x itself where it has that type. Its
 * gradient is cast back.
 */
export function cast(x: Tensor, to: FloatType): Tensor {
  return floatType(x) === to ? x : apply(op, [x], { to })[0];
}
