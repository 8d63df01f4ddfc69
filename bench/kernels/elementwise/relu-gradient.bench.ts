import { reluGradient } from '../../../kernels/elementwise/relu-gradient.ts';
import type { ReluProblem } from '../../../kernels/elementwise/relu.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<ReluProblem> = {
  kernel: reluGradient,
  problems: {
    'layer1 16x16x16x256': { count: 16 * 16 * 16 * 256 },
    'layer4 16x2x2x2048': { count: 16 * 2 * 2 * 2048 },
  },
};
export default bench;
