import type { Operand } from '../../kernels/kernel.ts';
import type { SoftmaxCrossEntropyProblem } from '../../kernels/loss/softmax-cross-entropy.ts';
import { f32 } from '../../kernels/contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../../kernels/contract/grid.ts';
import bench from '../kernels/loss/softmax-cross-entropy.bench.ts';
import { ladder, type Rung } from './ladder.ts';
import { ladderShader } from './shader.ts';

const WORKGROUP_SIZE = 64;

function operandsOf({ rows, classes, targets }: SoftmaxCrossEntropyProblem): Record<string, Operand> {
  const matrix = { type: 'f32', length: rows * classes } as const;
  return {
    logits: { role: 'input', ...matrix },
    targets: targets === 'soft' ? { role: 'input', ...matrix } : { role: 'input', type: 'u32', length: rows },
    loss: { role: 'output', type: 'f32', length: 1 },
    dlogits: { role: 'output', ...matrix },
  };
}

const shared = ({ rows, classes, targets, temperature = 1 }: SoftmaxCrossEntropyProblem, shader: string) => ({
  shader: ladderShader(shader),
  constants: { Target: targets === 'soft' ? 'f32' : 'u32', SOFT: targets === 'soft' },
  parameters: [rows, classes, f32(1 / temperature), f32(1 / (rows * temperature))],
});

const naive: Rung<SoftmaxCrossEntropyProblem> = {
  name: 'naive',
  call: (problem) => {
    const { rows, classes } = problem;
    const dispatch = shared(problem, 'softmax-cross-entropy-1-naive');
    return {
      operands: operandsOf(problem),
      dispatches: [
        {
          ...dispatch,
          entryPoint: 'gradient',
          operands: ['logits', 'targets', 'dlogits'],
          workgroups: foldGrid(ceilDivide(rows * classes, WORKGROUP_SIZE)),
        },
        { ...dispatch, entryPoint: 'loss', operands: ['logits', 'targets', 'loss'], workgroups: [1, 1, 1] },
      ],
    };
  },
};

const byRows: Rung<SoftmaxCrossEntropyProblem> = {
  name: 'rows first, then elements',
  call: (problem) => {
    const { rows, classes } = problem;
    const dispatch = shared(problem, 'softmax-cross-entropy-2-rows');
    return {
      operands: { ...operandsOf(problem), rowValues: { role: 'scratch', type: 'f32', length: 4 * rows } },
      dispatches: [
        {
          ...dispatch,
          entryPoint: 'rows',
          operands: ['rowValues', 'logits', 'targets'],
          workgroups: foldGrid(ceilDivide(rows, WORKGROUP_SIZE)),
        },
        {
          ...dispatch,
          entryPoint: 'gradient',
          operands: ['rowValues', 'logits', 'targets', 'dlogits'],
          workgroups: foldGrid(ceilDivide(rows * classes, WORKGROUP_SIZE)),
        },
        { ...dispatch, entryPoint: 'mean', operands: ['rowValues', 'loss'], workgroups: [1, 1, 1] },
      ],
    };
  },
};

export default ladder(bench, [naive, byRows], []);
