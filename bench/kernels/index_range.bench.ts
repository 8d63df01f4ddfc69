import { indexRange, type IndexRangeProblem } from '../../kernels/index_range.ts';
import type { KernelBench } from '../support/kernel-bench.ts';

const bench: KernelBench<IndexRangeProblem> = { kernel: indexRange, problems: { 'labels 96': { count: 96, end: 100 }, 'rows 4096': { count: 4096, end: 10_000 } } };
export default bench;
