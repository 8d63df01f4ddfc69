import { adam, type AdamProblem } from '../../../kernels/optimizer/adam.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** All parameters of the demo's quarter-width network, and of ResNet50. */
const bench: KernelBench<AdamProblem> = {
  kernel: adam,
  problems: {
    'quarter width 1.6 M': { count: 1_600_000, groups: 2, decoupled: false },
    'ResNet50 25.6 M': { count: 25_600_000, groups: 2, decoupled: false },
  },
};
export default bench;
