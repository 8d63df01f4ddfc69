import { globalAveragePoolGradient } from '../../../kernels/pooling/global-average-pool-gradient.ts';
import type { GlobalAveragePoolProblem } from '../../../kernels/pooling/global-average-pool.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<GlobalAveragePoolProblem> = {
  kernel: globalAveragePoolGradient,
  problems: {
    'layer4 16x2x2x2048': { batch: 16, pixels: 4, channels: 2048 },
    'layer4 at 224 pixels 16x7x7x2048': { batch: 16, pixels: 49, channels: 2048 },
    'quarter layer4 16x2x2x512': { batch: 16, pixels: 4, channels: 512 },
  },
};
export default bench;
