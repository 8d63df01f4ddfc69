import { bias, type BiasProblem } from '../../../kernels/elementwise/bias.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';
import { atResNet50Shapes } from '../../support/resnet-shapes.ts';

const bench: KernelBench<BiasProblem> = {
  kernel: bias,
  problems: atResNet50Shapes({}),
};
export default bench;
