import { scale, type ScaleProblem } from '../../../kernels/elementwise/scale.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** A residual stream of ResNet50 at batch 16, 64x64. */
const bench: KernelBench<ScaleProblem> = {
  kernel: scale,
  problems: { 'layer1 16x16x16x256': { count: 16 * 16 * 16 * 256 } },
};
export default bench;
