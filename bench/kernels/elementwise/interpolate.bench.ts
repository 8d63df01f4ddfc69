import { interpolate, type InterpolateProblem } from '../../../kernels/elementwise/interpolate.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** All running means and variances of ResNet50. */
const bench: KernelBench<InterpolateProblem> = {
  kernel: interpolate,
  problems: { 'ResNet50 53120': { count: 53_120, momentum: 0.1 } },
};
export default bench;
