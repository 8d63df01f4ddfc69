import { affineGradient, type AffineGradientProblem } from '../../../kernels/elementwise/affine-gradient.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';
import { atResNet50Shapes } from '../../support/resnet-shapes.ts';

const bench: KernelBench<AffineGradientProblem> = {
  kernel: affineGradient,
  problems: atResNet50Shapes({ residual: true, relu: true, parameterGradients: true }),
};
export default bench;
