import { measureCopy, type MeasureCopyProblem } from '../../../kernels/measure/measure-copy.ts';
import { CEILING_PROBLEMS } from '../../../src/benchmark/ceilings.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<MeasureCopyProblem> = { kernel: measureCopy, problems: CEILING_PROBLEMS.copy };
export default bench;
