import { batchNorm, type BatchNormProblem } from '../../../kernels/normalization/batch-norm.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';
import { atResNet50Shapes } from '../../support/resnet-shapes.ts';

const bench: KernelBench<BatchNormProblem> = {
  kernel: batchNorm,
  problems: atResNet50Shapes({ epsilon: 1e-5, residual: true, relu: true }),
};
export default bench;
