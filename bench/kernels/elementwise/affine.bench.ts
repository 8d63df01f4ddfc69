import { affine, type AffineProblem } from '../../../kernels/elementwise/affine.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';
import { atResNet50Shapes } from '../../support/resnet-shapes.ts';

const bench: KernelBench<AffineProblem> = {
  kernel: affine,
  problems: atResNet50Shapes({ residual: true, relu: true }),
};
export default bench;
