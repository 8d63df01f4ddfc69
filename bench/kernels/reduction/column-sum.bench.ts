import { columnSum, type ColumnSumProblem } from '../../../kernels/reduction/column-sum.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';
import { atResNet50Shapes } from '../../support/resnet-shapes.ts';

const bench: KernelBench<ColumnSumProblem> = {
  kernel: columnSum,
  problems: atResNet50Shapes({}),
};
export default bench;
