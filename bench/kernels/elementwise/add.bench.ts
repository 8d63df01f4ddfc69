import { add, type AddProblem } from '../../../kernels/elementwise/add.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** Sizes of ResNet50's residual streams at batch 16, 64x64. */
const bench: KernelBench<AddProblem> = {
  kernel: add,
  problems: {
    'layer1 16x16x16x256': { count: 16 * 16 * 16 * 256 },
    'layer4 16x2x2x2048': { count: 16 * 2 * 2 * 2048 },
  },
};
export default bench;
