import { KERNEL_MODULES } from '../../../kernels/index.ts';
import type { Kernel } from '../../../kernels/kernel.ts';
import type { ArenaProblem } from '../../../kernels/optimizer/arena.ts';
import { lossScale, type LossScaleProblem } from '../../../kernels/optimizer/loss-scale.ts';
import { sampleProblem } from '../../../kernels/optimizer/tensor-norms.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** An update of all parameters of the demo's quarter-width network, and of ResNet50, with the flags of the first case. */
export function updateBench<Problem extends ArenaProblem>(kernel: Kernel<Problem>): KernelBench<Problem> {
  const [flags] = kernel.cases;
  const problemOf = (count: number): Problem =>
    ('segments' in flags ? sampleProblem(count, 2) : { ...flags, count, groups: 2 }) as Problem;
  return {
    kernel,
    problems: { 'quarter width 1.6 M': problemOf(1_600_000), 'ResNet50 25.6 M': problemOf(25_600_000) },
  };
}

const ofLossScale: KernelBench<LossScaleProblem> = {
  kernel: lossScale,
  problems: { 'one group': { groups: 1, interval: 2000 } },
};
const updates = KERNEL_MODULES.filter(({ family }) => family === 'optimizer')
  .flatMap(({ kernels }) => kernels)
  .filter((kernel) => kernel !== (lossScale as unknown));

/** The benchmarks of the family; an optimizer needs none of its own. */
export default [ofLossScale, ...updates.map((kernel) => updateBench(kernel as unknown as Kernel<ArenaProblem>))];
