import { indexRange } from '../../../kernels/index_range.ts';
import type { IndexCheck } from '../indices.ts';
import { apply, use, type Op } from '../op.ts';
import type { Tensor } from '../tensor.ts';

const op: Op<{ readonly end: number }> = {
  name: 'indexReport',
  infer: () => [{ shape: [3], type: 'u32' }],
  lower: ({ attributes: { end }, inputs: [indices], outputs: [report] }) => [use(indexRange, { count: indices.length, end }, { indices, report })],
};

/** How many indices that the graph computes are out of range, where the first is, and its value: u32 [3]. */
export function indexReport({ indices, end }: IndexCheck): Tensor {
  return apply(op, [indices], { end })[0];
}
