import { measureFma, type MeasureFmaProblem } from '../../../kernels/measure/measure-fma.ts';
import { CEILING_PROBLEMS } from '../../../src/benchmark/ceilings.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<MeasureFmaProblem> = { kernel: measureFma, problems: CEILING_PROBLEMS.fma };
export default bench;
