import { initialize, type InitializeProblem } from '../../../kernels/random/initialize.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

/** The largest layer of ResNet50, layer4's 3x3 convolution. */
const place = { count: 3 * 3 * 512 * 512, key: [1, 0], address: [0, 0] } as const;
const bench: KernelBench<InitializeProblem> = {
  kernel: initialize,
  problems: {
    'uniform 3x3x512x512': { ...place, distribution: { kind: 'uniform', bound: 0.02 } },
    'normal 3x3x512x512': { ...place, distribution: { kind: 'normal', deviation: 0.02 } },
  },
};
export default bench;
