import { momentumSgd, type MomentumSgdProblem } from '../../../kernels/optimizer/momentum-sgd.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** All parameters of the demo's quarter-width network, and of ResNet50. */
const bench: KernelBench<MomentumSgdProblem> = {
  kernel: momentumSgd,
  problems: {
    'quarter width 1.6 M': { count: 1_600_000, groups: 2, nesterov: false },
    'ResNet50 25.6 M': { count: 25_600_000, groups: 2, nesterov: false },
  },
};
export default bench;
