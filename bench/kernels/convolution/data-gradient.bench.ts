import type { ConvolutionShape } from '../../../kernels/convolution/problem.ts';
import { convolutionDataGradient } from '../../../kernels/convolution/data-gradient.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';
import { productOf } from '../../support/product.ts';
import { inBothTypes } from '../../support/resnet-shapes.ts';
import { resnet50Convolutions } from '../../support/resnet50-convolutions.ts';

const bench: KernelBench<ConvolutionShape> = {
  kernel: convolutionDataGradient,
  problems: inBothTypes(resnet50Convolutions),
  product: productOf,
};
export default bench;
