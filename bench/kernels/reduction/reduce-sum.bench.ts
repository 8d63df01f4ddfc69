import { reduceSum, type ReduceSumProblem } from '../../../kernels/reduction/reduce-sum.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** The losses of a batch, and the parameters of the demo's network. */
const bench: KernelBench<ReduceSumProblem> = {
  kernel: reduceSum,
  problems: { 'batch 64': { count: 64, factor: 1 / 64 }, 'arena 1.6 M': { count: 1_600_000, factor: 1 } },
};
export default bench;
