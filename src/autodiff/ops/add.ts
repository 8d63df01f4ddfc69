import { add as addKernel } from '../../../kernels/elementwise/add.ts';
import { apply, cast, type Op, stored, use } from '../op.ts';
import { checkShape } from '../attributes.ts';
import type { Tensor } from '../tensor.ts';

const op: Op<null> = {
  name: 'add',
  takesHalves: true,
  infer([a, b]) {
    checkShape('add', a.shape, b);
    return [{ shape: a.shape, type: a.type }];
  },
  lower: ({ inputs: [a, b], outputs: [sum] }) => [use(addKernel, { count: sum.length, ...stored(sum) }, { a, b, sum })],
  gradient: (_, [dsum]) => [dsum, dsum],
};

/**
 * a + b, of the same shape; f32 where one of them is. Accuracy: the float32 sum, rounded once, within 2^-24 of itself;
 * stored as f16, within 2^-11.
 */
export function add(a: Tensor, b: Tensor): Tensor {
  const type = a.type === 'f16' && b.type === 'f16' ? 'f16' : 'f32';
  return apply(op, [cast(a, type), cast(b, type)], null)[0];
}
