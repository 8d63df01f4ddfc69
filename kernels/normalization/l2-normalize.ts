import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { EPSILON, sumError, type Kernel } from '../kernel.ts';
import { rowStyles } from '../reduction/row-styles.ts';

export interface L2NormalizeProblem {
  readonly rows: number;
  /** Elements of a row. */
  readonly width: number;
}

/** Shorter rows are divided by this instead of their norm, as PyTorch's `normalize` does. */
export const LEAST_NORM = 1e-12;

/**
 * f = x / max(norm, 1e-12) row by row, norm = sqrt(sum x^2), not clamped. x, f [rows, width], norm [rows].
 * Rows must be shorter than 1e19, where the sum of squares leaves float32's range.
 */
export const l2Normalize: Kernel<L2NormalizeProblem> = {
  name: 'l2_normalize',
  calls: ({ rows, width }, traits) =>
    rowStyles(traits).map(({ name, workgroupSize, invocations }) => ({
      variant: name,
      operands: {
        x: { role: 'input', type: 'f32', length: rows * width },
        f: { role: 'output', type: 'f32', length: rows * width },
        norm: { role: 'output', type: 'f32', length: rows },
      },
      dispatches: [
        sliceable(rows, { x: width, f: width, norm: 1 }, (count) => ({
          shader: shaders.l2Normalize,
          libraries: [shaders.rowReduction],
          constants: { WORKGROUP_SIZE: workgroupSize, INVOCATIONS: invocations },
          parameters: [count, width],
          operands: ['x', 'f', 'norm'],
          workgroups: foldGrid(ceilDivide(count, workgroupSize / invocations)),
        })),
      ],
    })),
  reference: ({ rows, width }, { x }) => {
    const f = blankExpected(rows * width);
    const norm = blankExpected(rows);
    for (let r = 0; r < rows; r++) {
      const row = x.subarray(r * width, (r + 1) * width);
      const squares = row.reduce((sum, value) => sum + value * value, 0);
      const length = Math.sqrt(squares);
      norm.value[r] = length;
      // sqrt may be computed as 1 / inverseSqrt: 2 ulp and a division's 2.5 ulp.
      norm.error[r] = Math.sqrt(squares + sumError(width, squares)) - length + 9 * EPSILON * length;
      const divisor = Math.max(length, LEAST_NORM);
      const divisorError = length + norm.error[r] > LEAST_NORM ? norm.error[r] / divisor : EPSILON;
      row.forEach((value, c) => {
        f.value[r * width + c] = value / divisor;
        f.error[r * width + c] = (Math.abs(value) / divisor) * (divisorError + 6 * EPSILON);
      });
    }
    return { f, norm };
  },
  cost: ({ rows, width }) => ({ flop: 3 * rows * width, bytes: 8 * rows * width }),
  cases: [
    { rows: 1, width: 1 },
    { rows: 5, width: 3 },
    { rows: 67, width: 128 },
    { rows: 3, width: 2048 },
    { rows: 33, width: 101 },
  ],
  sampleInputs: (problem, uniform) => ({ x: rowsOfAllLengths(problem, uniform) }),
};

/** Random rows of which, from the second on, every third is zero and every fifth shorter than LEAST_NORM. */
export function rowsOfAllLengths({ rows, width }: L2NormalizeProblem, uniform: () => number): Float64Array {
  return Float64Array.from({ length: rows * width }, (_, i) => {
    const row = Math.floor(i / width);
    const magnitude = row % 3 === 1 ? 0 : row % 5 === 2 ? 1e-15 : 1;
    return Math.fround(magnitude * uniform());
  });
}
