import { apply, type Op, type OpExamples } from '../op.ts';
import { describe, elementCount, ShapeError, type Shape, type Tensor } from '../tensor.ts';

const op: Op<{ readonly shape: Shape }> = {
  name: 'reshape',
  supportsF16: true,
  view: true,
  infer([x], { shape }) {
    if (elementCount(shape) !== x.length)
      throw new ShapeError(`reshape: ${describe(x)} does not fit [${shape.join(', ')}]`);
    return [{ shape, type: x.type, name: x.name }];
  },
  lower: () => [],
  gradient: ({ inputs: [x] }, [dy]) => [dy && reshape(dy, x.shape)],
};

/** The same elements in the same order under another shape; nothing is copied. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  return apply(op, [x], { shape })[0];
}

export const examples: OpExamples = {
  reshape: { inputs: { x: [4, 6] }, apply: ({ x }) => [reshape(x, [3, 8])] },
};
