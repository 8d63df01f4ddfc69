import { add as addKernel } from '../../../kernels/add.ts';
import { apply, use, type Op } from '../op.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';

const op: Op<null> = {
  name: 'add',
  infer([a, b]) {
    if (a.length !== b.length) throw new ShapeError(`add: ${describe(a)} and ${describe(b)} differ in size`);
    return [{ shape: a.shape }];
  },
  lower: ({ inputs: [a, b], outputs: [sum] }) => [use(addKernel, { count: sum.length }, { a, b, sum })],
  gradient: (_, [dsum]) => [dsum, dsum],
};

/** a + b, of the same shape. */
export function add(a: Tensor, b: Tensor): Tensor {
  return apply(op, [a, b], null)[0];
}
