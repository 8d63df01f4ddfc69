import { l2Normalize, type L2NormalizeProblem } from '../../../kernels/normalization/l2-normalize.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<L2NormalizeProblem> = {
  kernel: l2Normalize,
  problems: { 'embeddings 64x128': { rows: 64, width: 128 }, 'features 256x2048': { rows: 256, width: 2048 } },
};
export default bench;
