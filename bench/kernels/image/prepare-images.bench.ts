import { prepareImages, type PrepareImagesProblem } from '../../../kernels/image/prepare-images.ts';
import type { KernelBench } from '../../support/kernel-bench.ts';

const colors = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] } as const;

/** The demo's batch, and a batch at full resolution. */
const bench: KernelBench<PrepareImagesProblem> = {
  kernel: prepareImages,
  problems: {
    'demo 64x64x64': { count: 64, source: 64, size: 64, ...colors },
    'full 16x224x224': { count: 16, source: 256, size: 224, ...colors },
  },
};
export default bench;
