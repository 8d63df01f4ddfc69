import { measureFma, type MeasureFmaProblem } from '../../kernels/measure_fma.ts';
import type { KernelBench } from '../support/kernel-bench.ts';

/** Numbers enough to fill a large GPU, and so much arithmetic for each byte that memory does not count. */
const bench: KernelBench<MeasureFmaProblem> = { kernel: measureFma, problems: { '1 M numbers, 256 rounds': { count: 2 ** 20, rounds: 256 } } };
export default bench;
