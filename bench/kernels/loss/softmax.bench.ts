import { softmax, type SoftmaxProblem } from '../../../kernels/loss/softmax.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<SoftmaxProblem> = {
  kernel: softmax,
  problems: { 'online teacher 48x1000': { rows: 48, classes: 1000 } },
};
export default bench;
