import { l2NormalizeGradient } from '../../../kernels/normalization/l2-normalize-gradient.ts';
import type { L2NormalizeProblem } from '../../../kernels/normalization/l2-normalize.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<L2NormalizeProblem> = {
  kernel: l2NormalizeGradient,
  problems: { 'embeddings 64x128': { rows: 64, width: 128 }, 'features 256x2048': { rows: 256, width: 2048 } },
};
export default bench;
