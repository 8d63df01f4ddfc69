import { f32 } from '../contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { exact, type Kernel, type Values } from '../kernel.ts';
import { sampleIndices } from './select-rows.ts';

export interface OneHotProblem {
  readonly rows: number;
  readonly classes: number;
  /** The value in a row at its label, and everywhere else. */
  readonly on: number;
  readonly off: number;
}

const WORKGROUP_SIZE = 64;

/**
 * values [rows, classes] with `on` where the class is the row's label, labels [rows], and `off` elsewhere; NaN in the
 * row of a label of `classes` or more.
 */
export const oneHot: Kernel<OneHotProblem> = {
  name: 'one_hot',
  calls: ({ rows, classes, on, off }) => [
    {
      variant: 'element per invocation',
      operands: {
        labels: { role: 'input', type: 'u32', length: rows },
        values: { role: 'output', type: 'f32', length: rows * classes },
      },
      dispatches: [
        sliceable(rows, { labels: 1, values: classes }, (count) => ({
          shader: shaders.oneHot,
          constants: { WORKGROUP_SIZE },
          parameters: [count, classes, f32(on), f32(off)],
          operands: ['labels', 'values'],
          workgroups: foldGrid(ceilDivide(count * classes, WORKGROUP_SIZE)),
        })),
      ],
    },
  ],
  reference: ({ rows, classes, on, off }, { labels }) => {
    const values = new Float64Array(rows * classes).fill(Math.fround(off));
    labels.forEach((label, row) => (values[row * classes + label] = Math.fround(on)));
    return { values: exact(values) };
  },
  cost: ({ rows, classes }) => ({ flop: 0, bytes: 4 * rows * classes + 4 * rows }),
  cases: [
    { rows: 1, classes: 1, on: 1, off: 0 },
    { rows: 5, classes: 7, on: -0.35, off: 0 },
    { rows: 64, classes: 500, on: 0.9002, off: 0.0002 },
  ],
  sampleInputs: ({ rows, classes }, uniform): Values => ({ labels: sampleIndices(rows, classes, uniform) }),
};
