import { fill, type FillProblem } from '../../../kernels/elementwise/fill.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** An arena of the demo's quarter-width network. */
const bench: KernelBench<FillProblem> = {
  kernel: fill,
  problems: { 'quarter width 1.6 M': { count: 1_600_000, value: 0 } },
};
export default bench;
