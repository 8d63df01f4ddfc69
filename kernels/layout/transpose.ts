import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { exact, type Kernel } from '../kernel.ts';

export interface TransposeProblem {
  readonly rows: number;
  readonly columns: number;
}

const WORKGROUP_SIZE = 64;

/** y[c, r] = x[r, c]. x [rows, columns], y [columns, rows]. */
export const transpose: Kernel<TransposeProblem> = {
  name: 'transpose',
  calls: ({ rows, columns }) => [
    {
      variant: 'element per invocation',
      operands: {
        x: { role: 'input', type: 'f32', length: rows * columns },
        y: { role: 'output', type: 'f32', length: rows * columns },
      },
      dispatches: [
        sliceable(columns, { y: rows }, (count, first) => ({
          shader: shaders.transpose,
          constants: { WORKGROUP_SIZE },
          parameters: [rows, columns, first, count * rows],
          operands: ['x', 'y'],
          workgroups: foldGrid(ceilDivide(count * rows, WORKGROUP_SIZE)),
        })),
      ],
    },
  ],
  reference: ({ rows, columns }, { x }) => ({
    y: exact(Float64Array.from({ length: rows * columns }, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)])),
  }),
  cost: ({ rows, columns }) => ({ flop: 0, bytes: 8 * rows * columns }),
  cases: [
    { rows: 1, columns: 1 },
    { rows: 1, columns: 67 },
    { rows: 31, columns: 5 },
    { rows: 100, columns: 512 },
  ],
};
