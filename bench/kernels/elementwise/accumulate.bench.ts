import { accumulate, type AccumulateProblem } from '../../../kernels/elementwise/accumulate.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** ResNet50's smallest and largest convolution weights. */
const bench: KernelBench<AccumulateProblem> = {
  kernel: accumulate,
  problems: { 'layer1 1x1x64x64': { count: 64 * 64 }, 'layer4 3x3x512x512': { count: 9 * 512 * 512 } },
};
export default bench;
