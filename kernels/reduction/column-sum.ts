import type { Dispatch } from '../contract/dispatch.ts';
import { widestElement } from '../contract/element-types.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { sumError, type Kernel } from '../kernel.ts';
import { blockStyles, combiningBlocks, reducingBlocks, type BlockStyle } from './row-blocks.ts';

export interface ColumnSumProblem {
  readonly rows: number;
  readonly channels: number;
}

/** sums[c] = sum over r of x[r, c]: the gradient of a bias. x [rows, channels], sums [channels]. */
export const columnSum: Kernel<ColumnSumProblem> = {
  name: 'column_sum',
  calls: ({ rows, channels }, traits) =>
    blockStyles(traits).map((style) => {
      const { Element } = widestElement(channels);
      const blocks = reducingBlocks(style, rows, channels);
      return {
        variant: `${style.name}, ${Element}`,
        operands: {
          x: { role: 'input', type: 'f32', length: rows * channels },
          sums: { role: 'output', type: 'f32', length: channels },
          partials: { role: 'scratch', type: 'f32', length: blocks.blocks * channels },
        },
        dispatches: [
          sliceable(blocks.blocks, { x: blocks.blockLength, partials: channels }, (count, first) => ({
            shader: shaders.columnSum,
            libraries: [shaders.rowBlocks],
            constants: { Element, WORKGROUP_SIZE: style.workgroupSize, SHARED_ROWS: style.sharedRows },
            operands: ['x', 'partials'],
            ...blocks.slice(count, first),
          })),
          addBlocks(style, blocks.blocks, channels, 'partials', 'sums'),
        ],
      };
    }),
  reference: ({ rows, channels }, { x }) => {
    const value = new Float64Array(channels);
    const magnitudes = new Float64Array(channels);
    x.forEach((element, i) => {
      value[i % channels] += element;
      magnitudes[i % channels] += Math.abs(element);
    });
    return { sums: { value, error: magnitudes.map((magnitude) => sumError(rows, magnitude)) } };
  },
  cost: ({ rows, channels }) => ({ flop: rows * channels, bytes: 4 * (rows + 1) * channels }),
  cases: [
    { rows: 1, channels: 1 },
    { rows: 2, channels: 5 },
    { rows: 7, channels: 300 },
    { rows: 1021, channels: 16 },
    { rows: 20011, channels: 3 },
    { rows: 16 * 8 * 8, channels: 128 },
    { rows: 4 * 8, channels: 2048 },
  ],
};

/** The second pass of a reduction: adds the sums of all blocks, column by column. */
export function addBlocks(
  style: BlockStyle,
  blocks: number,
  channels: number,
  partials: string,
  sums: string,
): Dispatch {
  const { Element } = widestElement(channels);
  const { parameters, workgroups } = combiningBlocks(style, blocks, channels);
  return {
    shader: shaders.columnSum,
    libraries: [shaders.rowBlocks],
    constants: { Element, WORKGROUP_SIZE: style.workgroupSize, SHARED_ROWS: style.sharedRows },
    parameters,
    operands: [partials, sums],
    workgroups,
  };
}
