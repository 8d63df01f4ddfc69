import { quadrupletLoss, QUADRUPLET_STATISTICS } from '../../kernels/loss/quadruplet-loss.ts';
import type { QuadrupletLossProblem } from '../../kernels/loss/quadruplet-loss-problem.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import { f32 } from '../../kernels/contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../../kernels/contract/grid.ts';
import type { KernelCall } from '../../kernels/kernel.ts';
import bench from '../kernels/loss/quadruplet-loss.bench.ts';
import { ladder, type Rung } from './ladder.ts';
import { ladderShader } from './shader.ts';

const WORKGROUP_SIZE = 64;

const shipped = (problem: QuadrupletLossProblem, traits: AdapterTraits): KernelCall =>
  quadrupletLoss.calls(problem, traits)[0];
const isBalanced = ({ form = 'domain-balanced' }: QuadrupletLossProblem): boolean => form === 'domain-balanced';
/** The stages of the shipped call: distances, mining, summary, partners, gradient. */
const SUMMARY = 2;

const naive: Rung<QuadrupletLossProblem> = {
  name: 'naive',
  call: (problem, traits) => {
    const { count, width, margin = 0.2, mining = 'hardest' } = problem;
    if (mining !== 'hardest' || !isBalanced(problem)) return undefined;
    const shared = { shader: ladderShader('quadruplet-loss-1-naive'), parameters: [count, width, f32(margin)] };
    return {
      operands: {
        embeddings: { role: 'input', type: 'f32', length: count * width },
        labels: { role: 'input', type: 'u32', length: count },
        domains: { role: 'input', type: 'u32', length: count },
        loss: { role: 'output', type: 'f32', length: 1 },
        dembeddings: { role: 'output', type: 'f32', length: count * width },
        statistics: { role: 'output', type: 'f32', length: QUADRUPLET_STATISTICS.length },
        chosen: { role: 'scratch', type: 'u32', length: 4 * count },
        records: { role: 'scratch', type: 'f32', length: 12 * count },
        scale: { role: 'scratch', type: 'f32', length: 1 },
      },
      dispatches: [
        {
          ...shared,
          entryPoint: 'mine',
          operands: ['embeddings', 'chosen', 'labels', 'domains', 'records'],
          workgroups: foldGrid(ceilDivide(count, WORKGROUP_SIZE)),
        },
        shipped(problem, traits).dispatches[SUMMARY],
        {
          ...shared,
          entryPoint: 'gradient',
          operands: ['embeddings', 'chosen', 'scale', 'dembeddings'],
          workgroups: foldGrid(ceilDivide(count * width, WORKGROUP_SIZE)),
        },
      ],
    };
  },
};

const pairs: Rung<QuadrupletLossProblem> = {
  name: 'matrix of distances',
  call: (problem, traits) => {
    if (!isBalanced(problem)) return undefined;
    const { count, width } = problem;
    const { operands, dispatches } = shipped(problem, traits);
    return {
      operands: Object.fromEntries(Object.entries(operands).filter(([name]) => !name.startsWith('partner'))),
      dispatches: [
        ...dispatches.slice(0, SUMMARY + 1),
        {
          shader: ladderShader('quadruplet-loss-2-pairs'),
          parameters: [count, width],
          operands: ['chosen', 'squaredDistances', 'scale', 'embeddings', 'dembeddings', 'pulls'],
          workgroups: foldGrid(ceilDivide(count * width, WORKGROUP_SIZE)),
        },
      ],
    };
  },
};

export default ladder(bench, [naive, pairs], []);
