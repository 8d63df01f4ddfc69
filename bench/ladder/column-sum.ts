import type { ColumnSumProblem } from '../../kernels/reduction/column-sum.ts';
import type { Operand } from '../../kernels/kernel.ts';
import { ceilDivide, foldGrid } from '../../kernels/contract/grid.ts';
import bench from '../kernels/reduction/column-sum.bench.ts';
import { ladder, type Rung } from './ladder.ts';
import { ladderShader } from './shader.ts';

const WORKGROUP_SIZE = 64;
/** Rows that an invocation walks where they are split into blocks. */
export const ROWS_A_BLOCK = 128;

const operandsOf = ({ rows, channels }: ColumnSumProblem): Record<'x' | 'sums', Operand> => ({
  x: { role: 'input', type: 'f32', length: rows * channels },
  sums: { role: 'output', type: 'f32', length: channels },
});

const naive: Rung<ColumnSumProblem> = {
  name: 'naive',
  call: (problem) => ({
    operands: operandsOf(problem),
    dispatches: [
      {
        shader: ladderShader('column-sum-1-naive'),
        parameters: [problem.rows, problem.channels],
        operands: ['x', 'sums'],
        workgroups: foldGrid(ceilDivide(problem.channels, WORKGROUP_SIZE)),
      },
    ],
  }),
};

const blocks: Rung<ColumnSumProblem> = {
  name: 'blocks of rows',
  call: (problem) => {
    const { rows, channels } = problem;
    const count = ceilDivide(rows, ROWS_A_BLOCK);
    const shader = ladderShader('column-sum-2-blocks');
    const columnGroups = ceilDivide(channels, WORKGROUP_SIZE);
    return {
      operands: { ...operandsOf(problem), partials: { role: 'scratch', type: 'f32', length: count * channels } },
      dispatches: [
        {
          shader,
          parameters: [rows, channels, ROWS_A_BLOCK],
          operands: ['x', 'partials'],
          workgroups: [columnGroups, count, 1],
        },
        {
          shader,
          parameters: [count, channels, count],
          operands: ['partials', 'sums'],
          workgroups: [columnGroups, 1, 1],
        },
      ],
    };
  },
};

export default ladder(bench, [naive, blocks], ['stem', 'layer2', 'layer4']);
