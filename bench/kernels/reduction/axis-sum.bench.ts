import { axisSum, type AxisSumProblem } from '../../../kernels/reduction/axis-sum.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** Gradients of what was broadcast over the pixels of each image, and over its channels. */
const bench: KernelBench<AxisSumProblem> = {
  kernel: axisSum,
  problems: {
    'pixels of layer1 16x256x256': { outer: 16, rows: 256, inner: 256 },
    'channels of layer1 4096x256': { outer: 4096, rows: 256, inner: 1 },
  },
};
export default bench;
