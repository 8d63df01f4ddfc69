import { selectRows, type SelectRowsProblem } from '../../../kernels/layout/select-rows.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** The teacher's distributions of a batch. */
const bench: KernelBench<SelectRowsProblem> = {
  kernel: selectRows,
  problems: { 'teacher 500x1000, 64 rows': { tableRows: 500, count: 64, width: 1000 } },
};
export default bench;
