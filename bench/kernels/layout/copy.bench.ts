import { concatenate, type ConcatenateProblem } from '../../../kernels/layout/copy.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** Sketches and photos of a batch, put together as input of the network. */
const bench: KernelBench<ConcatenateProblem> = {
  kernel: concatenate,
  problems: { '2 x 32x64x64x4': { lengths: [32 * 64 * 64 * 4, 32 * 64 * 64 * 4] } },
};
export default bench;
