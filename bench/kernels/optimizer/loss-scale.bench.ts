import { lossScale, type LossScaleProblem } from '../../../kernels/optimizer/loss-scale.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<LossScaleProblem> = {
  kernel: lossScale,
  problems: { 'one group': { groups: 1, interval: 2000 } },
};
export default bench;
