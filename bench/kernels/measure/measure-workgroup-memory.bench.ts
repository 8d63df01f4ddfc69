import {
  measureWorkgroupMemory,
  type MeasureWorkgroupMemoryProblem,
} from '../../../kernels/measure/measure-workgroup-memory.ts';
import { CEILING_PROBLEMS } from '../../../src/benchmark/ceilings.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<MeasureWorkgroupMemoryProblem> = {
  kernel: measureWorkgroupMemory,
  problems: CEILING_PROBLEMS.workgroupMemory,
};
export default bench;
