import type { ConvolutionShape } from '../../../kernels/convolution/problem.ts';
import { convolutionWeightGradientF16 } from '../../../kernels/convolution/half-precision.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';
import { productOf } from '../../support/matrix-products.ts';
import { resnet50Convolutions } from '../../support/resnet50-convolutions.ts';

/** Nothing on an adapter without 16-bit floats. */
const bench: KernelBench<ConvolutionShape> = {
  kernel: convolutionWeightGradientF16,
  problems: resnet50Convolutions,
  product: productOf,
  type: 'f16',
};
export default bench;
