import {
  batchNormGradient,
  type BatchNormGradientProblem,
} from '../../../kernels/normalization/batch-norm-gradient.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';
import { atResNet50Shapes, inBothTypes } from '../../support/resnet-shapes.ts';

const bench: KernelBench<BatchNormGradientProblem> = {
  kernel: batchNormGradient,
  problems: inBothTypes(atResNet50Shapes({ relu: true, residual: true })),
};
export default bench;
