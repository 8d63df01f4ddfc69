import { transpose, type TransposeProblem } from '../../../kernels/layout/transpose.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<TransposeProblem> = {
  kernel: transpose,
  problems: { 'cosine classifier 100x512': { rows: 100, columns: 512 } },
};
export default bench;
