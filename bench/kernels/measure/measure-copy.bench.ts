import { measureCopy, type MeasureCopyProblem } from '../../../kernels/measure/measure-copy.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** Two buffers of 64 MiB: more than a cache holds. */
const bench: KernelBench<MeasureCopyProblem> = { kernel: measureCopy, problems: { '64 MiB': { count: 2 ** 24 } } };
export default bench;
