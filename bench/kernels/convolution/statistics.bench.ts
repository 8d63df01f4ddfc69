import { convolutionStatistics, type ConvolutionStatisticsProblem } from '../../../kernels/convolution/statistics.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';
import { productOf } from '../../support/product.ts';
import { inBothTypes } from '../../support/resnet-shapes.ts';
import { resnet50Convolutions } from '../../support/resnet50-convolutions.ts';

/** The heads are convolutions without batch normalisation. */
const bench: KernelBench<ConvolutionStatisticsProblem> = {
  kernel: convolutionStatistics,
  problems: inBothTypes((work) =>
    Object.fromEntries(
      Object.entries(resnet50Convolutions(work))
        .filter(([name]) => name !== 'classifier' && !name.startsWith('head'))
        .map(([name, shape]) => [name, { ...shape, epsilon: 1e-5 }]),
    ),
  ),
  product: productOf,
};
export default bench;
