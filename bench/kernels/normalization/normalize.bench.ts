import { normalize, type NormalizeProblem } from '../../../kernels/normalization/normalize.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';
import { atResNet50Shapes, inBothTypes } from '../../support/resnet-shapes.ts';

const bench: KernelBench<NormalizeProblem> = {
  kernel: normalize,
  problems: inBothTypes(atResNet50Shapes({ residual: true, relu: true })),
};
export default bench;
