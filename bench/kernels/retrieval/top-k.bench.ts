import { topK, type TopKProblem } from '../../../kernels/retrieval/top-k.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** A block of queries, and one, in a gallery of the size of QuickDraw Extended. */
const bench: KernelBench<TopKProblem> = {
  kernel: topK,
  problems: {
    '256 queries, 54151x128': { queries: 256, items: 54151, dimension: 128, k: 10 },
    '1 query, 54151x128': { queries: 1, items: 54151, dimension: 128, k: 10 },
    '256 queries, 54151x512': { queries: 256, items: 54151, dimension: 512, k: 10 },
  },
};
export default bench;
