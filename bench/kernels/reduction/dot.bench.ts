import { dot, type DotProblem } from '../../../kernels/reduction/dot.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** Logits of a batch, as under a learnt temperature. */
const bench: KernelBench<DotProblem> = { kernel: dot, problems: { 'logits 64x1000': { count: 64_000 } } };
export default bench;
