import type { BatchNormGradientProblem } from '../../kernels/normalization/batch-norm-gradient.ts';
import type { Operand } from '../../kernels/kernel.ts';
import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../../kernels/contract/grid.ts';
import bench from '../kernels/normalization/batch-norm-gradient.bench.ts';
import { ROWS_A_BLOCK } from './column-sum.ts';
import { ladder, type Rung } from './ladder.ts';
import { ladderShader } from './shader.ts';

const WORKGROUP_SIZE = 64;

function operandsOf({ rows, channels, relu, residual }: BatchNormGradientProblem): Record<string, Operand> {
  const matrix = { type: 'f32', length: rows * channels } as const;
  const vector = { type: 'f32', length: channels } as const;
  return {
    x: { role: 'input', ...matrix },
    ...(relu && { y: { role: 'input', ...matrix } as const }),
    dy: { role: 'input', ...matrix },
    gamma: { role: 'input', ...vector },
    mean: { role: 'input', ...vector },
    inverseDeviation: { role: 'input', ...vector },
    dx: { role: 'output', ...matrix },
    dgamma: { role: 'output', ...vector },
    dbeta: { role: 'output', ...vector },
    ...(relu && residual && { dresidual: { role: 'output', ...matrix } as const }),
  };
}

/** Where the masked gradient is kept between the two passes; undefined where nothing is masked. */
const maskedOf = ({ relu, residual }: BatchNormGradientProblem): 'dresidual' | 'dx' | undefined =>
  relu ? (residual ? 'dresidual' : 'dx') : undefined;

const naiveDispatch = (
  { rows, channels }: BatchNormGradientProblem,
  entryPoint: string,
  operands: readonly string[],
  invocations: number,
): Dispatch => ({
  shader: ladderShader('batch-norm-gradient-1-naive'),
  entryPoint,
  parameters: [rows, channels],
  operands,
  workgroups: foldGrid(ceilDivide(invocations, WORKGROUP_SIZE)),
});

function inputGradient(problem: BatchNormGradientProblem): Dispatch {
  const gradient = maskedOf(problem) ?? 'dy';
  const operands = ['x', gradient, 'mean', 'inverseDeviation', 'dgamma', 'dbeta', 'gamma'];
  const elements = problem.rows * problem.channels;
  return gradient === 'dx'
    ? naiveDispatch(problem, 'in_place', operands, elements)
    : naiveDispatch(problem, 'main', [...operands, 'dx'], elements);
}

const naive: Rung<BatchNormGradientProblem> = {
  name: 'naive',
  call: (problem) => {
    const masked = maskedOf(problem);
    const operands = ['x', 'dy', 'mean', 'inverseDeviation', 'dgamma', 'dbeta'];
    const sums =
      masked === undefined
        ? naiveDispatch(problem, 'sums', operands, problem.channels)
        : naiveDispatch(problem, 'sums_masked', [...operands, 'y', masked], problem.channels);
    return { operands: operandsOf(problem), dispatches: [sums, inputGradient(problem)] };
  },
};

const blocks: Rung<BatchNormGradientProblem> = {
  name: 'sums by blocks of rows',
  call: (problem) => {
    const { rows, channels } = problem;
    const masked = maskedOf(problem);
    const count = ceilDivide(rows, ROWS_A_BLOCK);
    const shared = { shader: ladderShader('batch-norm-gradient-2-blocks'), parameters: [rows, channels, ROWS_A_BLOCK] };
    const columnGroups = ceilDivide(channels, WORKGROUP_SIZE);
    const operands = ['partials', 'x', 'dy', 'mean'];
    return {
      operands: { ...operandsOf(problem), partials: { role: 'scratch', type: 'f32', length: 2 * count * channels } },
      dispatches: [
        {
          ...shared,
          entryPoint: masked === undefined ? 'plain' : 'masked',
          operands: masked === undefined ? operands : [...operands, 'y', masked],
          workgroups: [columnGroups, count, 1],
        },
        {
          ...shared,
          entryPoint: 'combine',
          operands: ['partials', 'inverseDeviation', 'dgamma', 'dbeta'],
          workgroups: [columnGroups, 1, 1],
        },
        inputGradient(problem),
      ],
    };
  },
};

export default ladder(bench, [naive, blocks], ['stem', 'layer2', 'layer4']);
