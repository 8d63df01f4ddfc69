import * as functions from '../../../kernels/elementwise/functions.ts';
import { pointwiseKernel, withDerivatives, type PointwiseProblem } from '../../../kernels/elementwise/pointwise.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** Sizes of ResNet50's residual streams at batch 16, 64x64, for every function of the table and every derivative. */
const COUNT = 16 * 16 * 16 * 256;

/** One number for each channel, and one for all. */
const broadcasts: Readonly<Record<string, PointwiseProblem>> = {
  'layer1 16x16x16x256 and 256': { count: COUNT, axes: [[COUNT / 256, 1, 0], [256, 1, 1]] },
  'layer1 16x16x16x256 and 1': { count: COUNT, axes: [[COUNT, 1, 0]] },
}; // prettier-ignore

const benches: readonly KernelBench<PointwiseProblem>[] = withDerivatives(Object.values(functions)).map((one) => ({
  kernel: pointwiseKernel(one),
  problems: {
    'layer1 16x16x16x256': { count: COUNT, parameters: one.parameters },
    'layer4 16x2x2x2048': { count: 16 * 2 * 2 * 2048, parameters: one.parameters },
    ...(one === functions.add ? broadcasts : {}),
  },
}));
export default benches;
