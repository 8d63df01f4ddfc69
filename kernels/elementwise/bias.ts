import { widestElement } from '../contract/element-types.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel } from '../kernel.ts';
import { blockStyles, elementwiseBlocks } from '../reduction/row-blocks.ts';

export interface BiasProblem {
  readonly rows: number;
  readonly channels: number;
}

/** y[r, c] = x[r, c] + bias[c]. x, y [rows, channels], bias [channels]. Its gradient for the bias is `columnSum`. */
export const bias: Kernel<BiasProblem> = {
  name: 'bias',
  calls: ({ rows, channels }, traits) =>
    blockStyles(traits).map((style) => {
      const { Element } = widestElement(channels);
      const { blocks, blockLength, slice } = elementwiseBlocks(style, rows, channels);
      return {
        variant: `${style.name}, ${Element}`,
        operands: {
          x: { role: 'input', type: 'f32', length: rows * channels },
          bias: { role: 'input', type: 'f32', length: channels },
          y: { role: 'output', type: 'f32', length: rows * channels },
        },
        dispatches: [
          sliceable(blocks, { x: blockLength, y: blockLength }, (count, first) => ({
            shader: shaders.bias,
            libraries: [shaders.rowIteration],
            constants: { Element, WORKGROUP_SIZE: style.workgroupSize },
            operands: ['x', 'bias', 'y'],
            ...slice(count, first),
          })),
        ],
      };
    }),
  reference: ({ channels }, { x, bias: offsets }) => {
    const value = x.map((element, i) => element + offsets[i % channels]);
    return { y: { value, error: value.map((element) => EPSILON * Math.abs(element)) } };
  },
  cost: ({ rows, channels }) => ({ flop: rows * channels, bytes: 8 * rows * channels }),
  cases: [
    { rows: 1, channels: 1 },
    { rows: 7, channels: 300 },
    { rows: 2500, channels: 67 },
    { rows: 1021, channels: 16 },
    { rows: 4 * 8, channels: 2048 },
  ],
};
