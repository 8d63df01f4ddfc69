import { contrastiveTargets, type ContrastiveTargetsProblem } from '../../../kernels/loss/contrastive-targets.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<ContrastiveTargetsProblem> = {
  kernel: contrastiveTargets,
  problems: {
    '48 items': { count: 48, positives: 'other-domain' },
    '256 items': { count: 256, positives: 'other-domain' },
  },
};
export default bench;
