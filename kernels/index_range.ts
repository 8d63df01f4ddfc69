import * as shaders from '../src/gpu/generated/shaders.ts';
import { exact, type Kernel } from './kernel.ts';

export interface IndexRangeProblem {
  readonly count: number;
  /** Each index should be below it. */
  readonly end: number;
}

/** `report[1]` where every index is in range. */
export const ALL_IN_RANGE = 0xffffffff;

const WORKGROUP_SIZE = 64;

/** report [3] u32 = how many of indices [count] are `end` or more, the place of the first or ALL_IN_RANGE, and its value or 0. */
export const indexRange: Kernel<IndexRangeProblem> = {
  name: 'index_range',
  calls: ({ count, end }) => [
    {
      variant: 'one workgroup',
      operands: { indices: { role: 'input', type: 'u32', length: count }, report: { role: 'output', type: 'u32', length: 3 } },
      dispatches: [{ shader: shaders.index_range, constants: { WORKGROUP_SIZE }, parameters: [count, end], operands: ['indices', 'report'], workgroups: [1, 1, 1] }],
    },
  ],
  reference: ({ end }, { indices }) => {
    const first = indices.findIndex((index) => index >= end);
    return { report: exact(Float64Array.of(indices.filter((index) => index >= end).length, first < 0 ? ALL_IN_RANGE : first, first < 0 ? 0 : indices[first])) };
  },
  cost: ({ count }) => ({ flop: 0, bytes: 4 * count + 12 }),
  cases: [{ count: 1, end: 1 }, { count: 7, end: 5 }, { count: 64, end: 100 }, { count: 5003, end: 1000 }],
  // Nearly all are in range.
  sampleInputs: ({ count, end }, uniform) => ({ indices: Float64Array.from({ length: count }, () => Math.floor(((uniform() + 1) / 2) * end * 1.01)) }),
};
