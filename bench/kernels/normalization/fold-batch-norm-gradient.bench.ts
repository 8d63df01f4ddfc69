import { foldBatchNormGradient } from '../../../kernels/normalization/fold-batch-norm-gradient.ts';
import type { FoldBatchNormProblem } from '../../../kernels/normalization/fold-batch-norm.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<FoldBatchNormProblem> = {
  kernel: foldBatchNormGradient,
  problems: { 'layer4 2048': { channels: 2048, epsilon: 1e-5 } },
};
export default bench;
