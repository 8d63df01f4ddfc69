import type { Dispatch } from '../contract/dispatch.ts';
import { widestElement } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blockedSumError, blockLength, type Kernel, type Operand } from '../kernel.ts';
import { blankExpected } from '../contract/expected.ts';

export interface AxisSumProblem {
  readonly outer: number;
  /** Elements of each sum. */
  readonly rows: number;
  readonly inner: number;
}

const WORKGROUP_SIZE = 64;
/** Rows that one invocation adds at most. */
const LONGEST_BLOCK = 64;

/** Levels of sums of blocks, so that no block is longer. */
const levelsOf = (rows: number): number => {
  let levels = 1;
  while (blockLength(rows, levels) > LONGEST_BLOCK) levels++;
  return levels;
};

/**
 * sums[o, i] = sum over r of x[o, r, i]: the gradient of what was broadcast along an axis. x [outer, rows, inner], sums
 * [outer, inner]. Blocks of rows are added one after the other, then their sums, in an order that depends on the problem
 * alone.
 */
export const axisSum: Kernel<AxisSumProblem> = {
  name: 'axis_sum',
  calls: ({ outer, rows, inner }, traits) => {
    const { Element, elements: columns } = widestElement(inner);
    const levels = levelsOf(rows);
    const block = blockLength(rows, levels);
    const scratch: Record<string, Operand> = {};
    const dispatches: Dispatch[] = [];
    for (let level = 0, length = rows, from = 'x'; level < levels; level++) {
      const blocks = ceilDivide(length, block);
      const to = level === levels - 1 ? 'sums' : `partial${level}`;
      if (to !== 'sums') scratch[to] = { role: 'scratch', type: 'f32', length: outer * blocks * inner };
      // Slices are launched later, when the loop has gone on.
      const [source, taken] = [from, length];
      dispatches.push(
        sliceable(outer, { [source]: taken * inner, [to]: blocks * inner }, (count) => ({
          shader: shaders.axisSum,
          constants: { Element, WORKGROUP_SIZE },
          parameters: [count * blocks * columns, taken, columns, block, blocks],
          operands: [source, to],
          workgroups: foldGrid(ceilDivide(count * blocks * columns, WORKGROUP_SIZE), traits.maxWorkgroupsPerDimension),
        })),
      );
      length = blocks;
      from = to;
    }
    return [
      {
        variant: `blocks of ${block} rows, ${Element}`,
        operands: {
          x: { role: 'input', type: 'f32', length: outer * rows * inner },
          sums: { role: 'output', type: 'f32', length: outer * inner },
          ...scratch,
        },
        dispatches,
      },
    ];
  },
  reference: ({ outer, rows, inner }, { x }) => {
    const sums = blankExpected(outer * inner);
    x.forEach((element, index) => {
      const place = Math.floor(index / (rows * inner)) * inner + (index % inner);
      sums.value[place] += element;
      sums.error[place] += Math.abs(element);
    });
    return {
      sums: {
        value: sums.value,
        error: sums.error.map((magnitude) => blockedSumError(rows, levelsOf(rows), magnitude)),
      },
    };
  },
  cost: ({ outer, rows, inner }) => ({ flop: outer * rows * inner, bytes: 4 * outer * (rows + 1) * inner }),
  cases: [
    { outer: 1, rows: 1, inner: 1 },
    { outer: 5, rows: 7, inner: 3 },
    { outer: 3, rows: 131, inner: 8 },
    { outer: 2, rows: 5003, inner: 1 },
    { outer: 1, rows: 300007, inner: 1 },
  ],
};
