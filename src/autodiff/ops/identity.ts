import { copy as copyKernel } from '../../../kernels/layout/copy.ts';
import { apply, use, type Op, type OpExamples } from '../op.ts';
import type { Tensor } from '../tensor.ts';

const op: Op<null> = {
  name: 'identity',
  supportsF16: true,
  infer: ([x]) => [{ shape: x.shape, type: x.type, name: x.name }],
  lower: ({ inputs: [source], outputs: [destination] }) => {
    const count = source.length;
    return [
      use(
        copyKernel,
        {
          count,
          sourceLength: count,
          sourceOffset: 0,
          destinationLength: count,
          destinationOffset: 0,
          ...(source.type !== 'f32' && { type: source.type }),
        },
        { source, destination },
      ),
    ];
  },
  gradient: (_, [dy]) => [dy],
};

/** A copy of a tensor, of any type, in memory of its own. @internal */
export function identity(x: Tensor): Tensor {
  return apply(op, [x], null)[0];
}

export const examples: OpExamples = {
  identity: { inputs: { x: [3, 3] }, apply: ({ x }) => [identity(x)] },
};
