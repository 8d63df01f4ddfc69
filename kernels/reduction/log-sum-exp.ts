import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { EPSILON, sumError, type Kernel } from '../kernel.ts';
import { rowStyles } from './row-styles.ts';

export interface LogSumExpProblem {
  readonly rows: number;
  /** Elements of a row. */
  readonly width: number;
}

/** y [rows] = log(sum of exp(x)) of each row of x [rows, width], with the limits at the infinities. */
export const logSumExp: Kernel<LogSumExpProblem> = {
  name: 'log_sum_exp',
  calls: ({ rows, width }, traits) =>
    rowStyles(traits).map(({ name, workgroupSize, invocations }) => ({
      variant: name,
      operands: {
        x: { role: 'input', type: 'f32', length: rows * width },
        y: { role: 'output', type: 'f32', length: rows },
      },
      dispatches: [
        sliceable(rows, { x: width, y: 1 }, (count) => ({
          shader: shaders.logSumExp,
          libraries: [shaders.notANumber],
          constants: { WORKGROUP_SIZE: workgroupSize, INVOCATIONS: invocations, Element: 'f32', Index: 'u32' },
          parameters: [count, width],
          operands: ['x', 'y'],
          workgroups: foldGrid(ceilDivide(count, workgroupSize / invocations)),
        })),
      ],
    })),
  reference: ({ rows, width }, { x }) => {
    const y = blankExpected(rows);
    for (let row = 0; row < rows; row++) {
      const values = x.subarray(row * width, (row + 1) * width);
      const highest = values.reduce((most, value) => Math.max(most, value), -Infinity);
      y.value[row] = highest;
      if (!Number.isFinite(highest)) continue;
      let sum = 0;
      let error = 0;
      for (const value of values) {
        const shifted = value - highest;
        const power = Math.exp(shifted);
        sum += power;
        // The difference is rounded, and WGSL's exp may err by 3 + 2 |x| units in the last place (2 EPSILON each).
        if (power > 0) error += power * EPSILON * (6 + 5 * Math.abs(shifted));
      }
      y.value[row] += Math.log(sum);
      // log: 3 units in the last place, or 2^-21 where its argument is in [0.5, 2].
      const logError = sum <= 2 ? 2 ** -21 : 6 * EPSILON * Math.log(sum);
      y.error[row] = (error + sumError(width, sum)) / sum + logError + EPSILON * Math.abs(y.value[row]);
    }
    return { y };
  },
  cost: ({ rows, width }) => ({ flop: 6 * rows * width, bytes: 4 * rows * (width + 1) }),
  cases: [
    { rows: 1, width: 1 },
    { rows: 7, width: 3 },
    { rows: 37, width: 131 },
    { rows: 3, width: 1000 },
  ],
  // From the second on, rows of -Infinity alone, with Infinity, with NaN, and with some elements of -Infinity.
  sampleInputs: ({ rows, width }, uniform) => ({
    x: Float64Array.from({ length: rows * width }, (_, i) => {
      const [row, column] = [Math.floor(i / width) % 6, i % width];
      if (row === 1 || (row === 4 && column % 3 === 1)) return -Infinity;
      if (row === 2 && column === width - 1) return Infinity;
      if (row === 3 && column === width >> 1) return NaN;
      return Math.fround(90 * uniform());
    }),
  }),
};
