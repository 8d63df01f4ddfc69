import { elementBytes, widestElement } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import { blockedSumError, blockLength, EPSILON, type Kernel } from '../kernel.ts';
import { canStore, type StorageType } from '../contract/storage-type.ts';

/** `type` is that of x; y is f32 always. */
export interface GlobalAveragePoolProblem extends StorageType {
  readonly batch: number;
  /** H * W of an activation in NHWC. */
  readonly pixels: number;
  readonly channels: number;
}

const WORKGROUP_SIZE = 64;
/** Blocks of blocks that pixels are summed in. */
const LEVELS = 3;

/** y[n, c] = mean over p of x[n, p, c]. x [batch, pixels, channels], y [batch, channels]. */
export const globalAveragePool: Kernel<GlobalAveragePoolProblem> = {
  name: 'global_average_pool',
  calls: (problem, traits) => {
    const { batch, pixels, channels, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    const { Element, Stored, elements: columns, features } = widestElement(channels, type);
    return [
      {
        variant: Stored,
        operands: {
          x: { role: 'input', type, length: batch * pixels * channels },
          y: { role: 'output', type: 'f32', length: batch * channels },
        },
        dispatches: [
          sliceable(batch, { x: pixels * channels, y: channels }, (images) => ({
            shader: shaders.globalAveragePool,
            features,
            constants: { Element, Stored, WORKGROUP_SIZE },
            parameters: [pixels, columns, images * columns, blockLength(pixels, LEVELS)],
            operands: ['x', 'y'],
            workgroups: foldGrid(ceilDivide(images * columns, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: ({ batch, pixels, channels }, { x }) => {
    const y = blankExpected(batch * channels);
    for (let n = 0; n < batch; n++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        let magnitude = 0;
        for (let p = 0; p < pixels; p++) {
          const value = x[(n * pixels + p) * channels + c];
          sum += value;
          magnitude += Math.abs(value);
        }
        y.value[n * channels + c] = sum / pixels;
        // A division may err by 2.5 ulp.
        y.error[n * channels + c] = (blockedSumError(pixels, LEVELS, magnitude) + 5 * EPSILON * Math.abs(sum)) / pixels;
      }
    }
    return { y };
  },
  cost: ({ batch, pixels, channels, type = 'f32' }) => ({
    flop: batch * pixels * channels,
    bytes: batch * (elementBytes(type) * pixels + 4) * channels,
  }),
  cases: [
    { batch: 1, pixels: 1, channels: 1 },
    { batch: 3, pixels: 7, channels: 5 },
    { batch: 2, pixels: 49, channels: 2048 },
    { batch: 67, pixels: 4, channels: 12 },
    { batch: 1, pixels: 160_000, channels: 4 },
    { batch: 3, pixels: 7, channels: 5, type: 'f16' },
    { batch: 2, pixels: 49, channels: 64, type: 'f16' },
  ],
};
