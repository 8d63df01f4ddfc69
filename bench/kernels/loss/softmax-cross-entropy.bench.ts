import { softmaxCrossEntropy, type SoftmaxCrossEntropyProblem } from '../../../kernels/loss/softmax-cross-entropy.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** The demo's classes, and the teacher's distribution over ImageNet's. */
const bench: KernelBench<SoftmaxCrossEntropyProblem> = {
  kernel: softmaxCrossEntropy,
  problems: {
    'labels 64x500': { rows: 64, classes: 500, targets: 'hard' },
    'teacher 64x1000': { rows: 64, classes: 1000, targets: 'soft' },
  },
};
export default bench;
