import type { Operand } from '../../kernels/kernel.ts';
import type { ReduceSumProblem } from '../../kernels/reduction/reduce-sum.ts';
import { f32 } from '../../kernels/contract/dispatch.ts';
import { ceilDivide } from '../../kernels/contract/grid.ts';
import bench from '../kernels/reduction/reduce-sum.bench.ts';
import { ladder, type Rung } from './ladder.ts';
import { ladderShader } from './shader.ts';

const WORKGROUP_SIZE = 64;
const MOST_INVOCATIONS = 1024;

const operandsOf = ({ count }: ReduceSumProblem): Record<'values' | 'sum', Operand> => ({
  values: { role: 'input', type: 'f32', length: count },
  sum: { role: 'output', type: 'f32', length: 1 },
});

const naive: Rung<ReduceSumProblem> = {
  name: 'naive',
  call: (problem) => ({
    operands: operandsOf(problem),
    dispatches: [
      {
        shader: ladderShader('reduce-sum-1-naive'),
        parameters: [problem.count, f32(problem.factor)],
        operands: ['values', 'sum'],
        workgroups: [1, 1, 1],
      },
    ],
  }),
};

const spans: Rung<ReduceSumProblem> = {
  name: 'many invocations, then one',
  call: (problem) => {
    const { count, factor } = problem;
    const invocations = Math.min(MOST_INVOCATIONS, count);
    const shader = ladderShader('reduce-sum-2-spans');
    return {
      operands: { ...operandsOf(problem), partials: { role: 'scratch', type: 'f32', length: invocations } },
      dispatches: [
        {
          shader,
          parameters: [count, invocations, f32(1)],
          operands: ['values', 'partials'],
          workgroups: [ceilDivide(invocations, WORKGROUP_SIZE), 1, 1],
        },
        { shader, parameters: [invocations, 1, f32(factor)], operands: ['partials', 'sum'], workgroups: [1, 1, 1] },
      ],
    };
  },
};

export default ladder(bench, [naive, spans], []);
