import { nonFinite, type NonFiniteProblem } from '../../../kernels/reduction/non-finite.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** The gradients of the demo's quarter-width network, and of ResNet50. */
const bench: KernelBench<NonFiniteProblem> = {
  kernel: nonFinite,
  problems: { 'quarter width 1.6 M': { count: 1_600_000 }, 'ResNet50 25.6 M': { count: 25_600_000 } },
};
export default bench;
