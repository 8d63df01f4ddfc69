import { transpose as kernel } from '../../../kernels/layout/transpose.ts';
import { apply, use, type Op, type OpExamples } from '../op.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';
import { reshape } from './reshape.ts';

const op: Op<null> = {
  name: 'transpose',
  infer([x]) {
    if (x.shape.length !== 2) throw new ShapeError(`transpose: ${describe(x)}; [rows, columns] was expected`);
    return [{ shape: [x.shape[1], x.shape[0]] }];
  },
  lower: ({ inputs: [x], outputs: [y] }) => [use(kernel, { rows: x.shape[0], columns: x.shape[1] }, { x, y })],
  // A matrix product gives the gradient of its weights as those of a 1x1 convolution.
  gradient: ({ outputs: [{ shape }] }, [dy]) => [dy && transpose(reshape(dy, shape))],
};

/** @param x [rows, columns] @returns [columns, rows] */
export function transpose(x: Tensor): Tensor {
  return apply(op, [x], null)[0];
}

export const examples: OpExamples = {
  transpose: { inputs: { x: [4, 7] }, apply: ({ x }) => [transpose(x)] },
};
