import { momentumSgd, type MomentumSgdProblem } from '../../kernels/optimizer/momentum-sgd.ts';
import { ceilDivide, foldGrid } from '../../kernels/contract/grid.ts';
import { updateBench } from '../kernels/optimizer/optimizer.bench.ts';
import { ladder, type Rung } from './ladder.ts';
import { ladderShader } from './shader.ts';

const WORKGROUP_SIZE = 64;

/**
 * The operands are the shipped ones: an optimiser has no scratch. The shipped variant of one vector an invocation is
 * the rung between.
 */
const naive: Rung<MomentumSgdProblem> = {
  name: 'naive',
  call: (problem, traits) => {
    const [
      {
        operands,
        dispatches: [{ operands: bound }],
      },
    ] = momentumSgd.calls(problem, traits);
    return {
      operands,
      dispatches: [
        {
          shader: ladderShader('momentum-sgd-1-naive'),
          constants: { NESTEROV: problem.nesterov },
          parameters: [problem.count],
          operands: bound,
          workgroups: foldGrid(ceilDivide(problem.count, WORKGROUP_SIZE)),
        },
      ],
    };
  },
};

export default ladder(updateBench(momentumSgd), [naive], []);
