import {
  measureWorkgroupMemory,
  type MeasureWorkgroupMemoryProblem,
} from '../../../kernels/measure/measure-workgroup-memory.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<MeasureWorkgroupMemoryProblem> = {
  kernel: measureWorkgroupMemory,
  problems: { vec4f: { tiles: 1024, width: 4, rounds: 64 }, f32: { tiles: 1024, width: 1, rounds: 64 } },
};
export default bench;
