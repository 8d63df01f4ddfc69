import { measureFma, type MeasureFmaProblem } from '../../../kernels/measure/measure-fma.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/**
 * So much arithmetic for each byte that memory does not count; numbers for a processor or a small GPU, and for each
 * invocation of a large one several.
 */
const bench: KernelBench<MeasureFmaProblem> = {
  kernel: measureFma,
  problems: {
    '1 M numbers, 256 rounds': { count: 2 ** 20, rounds: 256 },
    '8 M numbers, 256 rounds': { count: 2 ** 23, rounds: 256 },
  },
};
export default bench;
