import { quadrupletLoss } from '../../../kernels/loss/quadruplet-loss.ts';
import type { QuadrupletLossProblem } from '../../../kernels/loss/quadruplet-loss-problem.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** The demo's batch, the method's batch of 12 x (2 + 2), and its larger one of 16 x (4 + 4). */
const bench: KernelBench<QuadrupletLossProblem> = {
  kernel: quadrupletLoss,
  problems: {
    'demo 64x128': { count: 64, width: 128 },
    'paper 48x512': { count: 48, width: 512 },
    'large 128x512': { count: 128, width: 512 },
    'one hinge 48x512': { count: 48, width: 512, form: 'one-hinge' },
    'two pairs 48x512': { count: 48, width: 512, form: 'two-pairs' },
  },
};
export default bench;
