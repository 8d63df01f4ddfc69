import { cast, type CastProblem } from '../../../kernels/elementwise/cast.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const bench: KernelBench<CastProblem> = {
  kernel: cast,
  problems: {
    'layer1 16x16x16x256 to f16': { count: 16 * 16 * 16 * 256, to: 'f16' },
    'layer1 16x16x16x256 to f32': { count: 16 * 16 * 16 * 256, to: 'f32' },
  },
};
export default bench;
