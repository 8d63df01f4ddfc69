import { maxPoolGradient } from '../../../kernels/pooling/max-pool-gradient.ts';
import type { MaxPoolProblem } from '../../../kernels/pooling/max-pool.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<MaxPoolProblem> = {
  kernel: maxPoolGradient,
  problems: {
    'stem 16x32x32x64': { batch: 16, height: 32, width: 32, channels: 64, window: 3, stride: 2, padding: 1 },
    'quarter stem 16x32x32x16': { batch: 16, height: 32, width: 32, channels: 16, window: 3, stride: 2, padding: 1 },
  },
};
export default bench;
