import { lars } from '../../../kernels/optimizer/lars.ts';
import { sampleProblem, type SegmentedProblem } from '../../../kernels/optimizer/tensor-norms.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** As many parameters as the demo's quarter-width network has, and as ResNet50. */
const bench: KernelBench<SegmentedProblem> = {
  kernel: lars,
  problems: { 'quarter width 1.6 M': sampleProblem(1_600_000, 2), 'ResNet50 25.6 M': sampleProblem(25_600_000, 2) },
};
export default bench;
