import { oneHot, type OneHotProblem } from '../../../kernels/layout/one-hot.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** Smoothed targets for the demo's classes. */
const bench: KernelBench<OneHotProblem> = {
  kernel: oneHot,
  problems: { '64x500': { rows: 64, classes: 500, on: 0.9002, off: 0.0002 } },
};
export default bench;
