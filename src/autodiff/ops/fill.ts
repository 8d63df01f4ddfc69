import { fill as fillKernel } from '../../../kernels/elementwise/fill.ts';
import { apply, use, type Op } from '../op.ts';
import { checkNumber } from '../attributes.ts';
import type { Shape, Tensor } from '../tensor.ts';

const op: Op<{ readonly shape: Shape; readonly value: number }> = {
  name: 'fill',
  infer(_, { shape, value }) {
    checkNumber('fill', 'value', value);
    return [{ shape }];
  },
  lower: ({ attributes: { value }, outputs: [values] }) => [
    use(fillKernel, { count: values.length, value }, { values }),
  ],
};

/** A tensor whose elements are all `value`. @internal */
export function fill(shape: Shape, value: number): Tensor {
  return apply(op, [], { shape, value })[0];
}
