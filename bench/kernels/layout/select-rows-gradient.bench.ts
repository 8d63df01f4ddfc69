import type { SelectRowsProblem } from '../../../kernels/layout/select-rows.ts';
import { selectRowsGradient } from '../../../kernels/layout/select-rows-gradient.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** A learnt table of class vectors. */
const bench: KernelBench<SelectRowsProblem> = {
  kernel: selectRowsGradient,
  problems: { 'classes 500x128, 64 rows': { tableRows: 500, count: 64, width: 128 } },
};
export default bench;
