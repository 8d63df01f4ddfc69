import type { ConvolutionShape } from '../../../kernels/convolution/problem.ts';
import { convolutionWeightGradient } from '../../../kernels/convolution/weight-gradient.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';
import { productOf } from '../../support/product.ts';
import { inBothTypes } from '../../support/resnet-shapes.ts';
import { resnet50Convolutions } from '../../support/resnet50-convolutions.ts';

const bench: KernelBench<ConvolutionShape> = {
  kernel: convolutionWeightGradient,
  problems: inBothTypes(resnet50Convolutions),
  product: productOf,
};
export default bench;
