import type { BatchNormProblem } from '../../kernels/normalization/batch-norm.ts';
import type { Operand } from '../../kernels/kernel.ts';
import { f32, type Dispatch } from '../../kernels/contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../../kernels/contract/grid.ts';
import bench from '../kernels/normalization/batch-norm.bench.ts';
import { ROWS_A_BLOCK } from './column-sum.ts';
import { ladder, type Rung } from './ladder.ts';
import { ladderShader } from './shader.ts';

const WORKGROUP_SIZE = 64;

function operandsOf({ rows, channels, residual }: BatchNormProblem): Record<string, Operand> {
  const matrix = { type: 'f32', length: rows * channels } as const;
  const vector = { type: 'f32', length: channels } as const;
  return {
    x: { role: 'input', ...matrix },
    gamma: { role: 'input', ...vector },
    beta: { role: 'input', ...vector },
    ...(residual && { residual: { role: 'input', ...matrix } as const }),
    y: { role: 'output', ...matrix },
    mean: { role: 'output', ...vector },
    inverseDeviation: { role: 'output', ...vector },
    variance: { role: 'output', ...vector },
  };
}

const naiveDispatch = (
  { rows, channels, epsilon, relu }: BatchNormProblem,
  entryPoint: string,
  operands: readonly string[],
  invocations: number,
): Dispatch => ({
  shader: ladderShader('batch-norm-1-naive'),
  entryPoint,
  constants: { RELU: relu },
  parameters: [rows, channels, f32(epsilon)],
  operands,
  workgroups: foldGrid(ceilDivide(invocations, WORKGROUP_SIZE)),
});

const normalise = (problem: BatchNormProblem): Dispatch => {
  const operands = ['x', 'mean', 'inverseDeviation', 'gamma', 'beta', 'y'];
  const elements = problem.rows * problem.channels;
  return problem.residual
    ? naiveDispatch(problem, 'normalise_residual', [...operands, 'residual'], elements)
    : naiveDispatch(problem, 'normalise', operands, elements);
};

const naive: Rung<BatchNormProblem> = {
  name: 'naive',
  call: (problem) => ({
    operands: operandsOf(problem),
    dispatches: [
      naiveDispatch(problem, 'statistics', ['x', 'mean', 'inverseDeviation', 'variance'], problem.channels),
      normalise(problem),
    ],
  }),
};

const blocks: Rung<BatchNormProblem> = {
  name: 'statistics by blocks of rows',
  call: (problem) => {
    const { rows, channels, epsilon } = problem;
    const count = ceilDivide(rows, ROWS_A_BLOCK);
    const shared = {
      shader: ladderShader('batch-norm-2-blocks'),
      parameters: [rows, channels, ROWS_A_BLOCK, f32(epsilon)],
    };
    const columnGroups = ceilDivide(channels, WORKGROUP_SIZE);
    return {
      operands: { ...operandsOf(problem), partials: { role: 'scratch', type: 'f32', length: 2 * count * channels } },
      dispatches: [
        {
          ...shared,
          entryPoint: 'block_statistics',
          operands: ['partials', 'x'],
          workgroups: [columnGroups, count, 1],
        },
        {
          ...shared,
          entryPoint: 'combine',
          operands: ['partials', 'mean', 'inverseDeviation', 'variance'],
          workgroups: [columnGroups, 1, 1],
        },
        normalise(problem),
      ],
    };
  },
};

export default ladder(bench, [naive, blocks], ['stem', 'layer2', 'layer4']);
