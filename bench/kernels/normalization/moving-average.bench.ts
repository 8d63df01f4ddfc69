import { movingAverage, type MovingAverageProblem } from '../../../kernels/normalization/moving-average.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** All parameters of ResNet50 without a classifier. */
const bench: KernelBench<MovingAverageProblem> = {
  kernel: movingAverage,
  problems: { 'ResNet50 23.5 M': { count: 23_508_032 } },
};
export default bench;
