import { elementBytes, widestElement } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { blankExpected } from '../contract/expected.ts';
import type { GlobalAveragePoolProblem } from './global-average-pool.ts';
import { EPSILON, type Kernel } from '../kernel.ts';
import { canStore, whenStored } from '../contract/storage-type.ts';

const WORKGROUP_SIZE = 64;

/** dx[n, p, c] = dy[n, c] / pixels. dy [batch, channels], f32 always; dx [batch, pixels, channels]. */
export const globalAveragePoolGradient: Kernel<GlobalAveragePoolProblem> = {
  name: 'global_average_pool_gradient',
  calls: (problem, traits) => {
    const { batch, pixels, channels, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    const { Element, Stored, elements: columns, features } = widestElement(channels, type);
    return [
      {
        variant: Stored,
        operands: {
          dy: { role: 'input', type: 'f32', length: batch * channels },
          dx: { role: 'output', type, length: batch * pixels * channels },
        },
        dispatches: [
          sliceable(batch, { dy: channels, dx: pixels * channels }, (images) => ({
            shader: shaders.globalAveragePoolGradient,
            features,
            constants: { Element, Stored, WORKGROUP_SIZE },
            parameters: [pixels, columns, images * columns],
            operands: ['dy', 'dx'],
            workgroups: foldGrid(ceilDivide(images * columns, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: (problem, { dy }) => {
    const { batch, pixels, channels } = problem;
    const dx = blankExpected(batch * pixels * channels);
    for (let i = 0; i < dx.value.length; i++) {
      dx.value[i] = dy[Math.floor(i / (pixels * channels)) * channels + (i % channels)] / pixels;
      // A division may err by 2.5 ulp.
      dx.error[i] = 5 * EPSILON * Math.abs(dx.value[i]);
    }
    return { dx: whenStored(dx, problem) };
  },
  cost: ({ batch, pixels, channels, type = 'f32' }) => ({
    flop: batch * channels,
    bytes: batch * (elementBytes(type) * pixels + 4) * channels,
  }),
  cases: [
    { batch: 1, pixels: 1, channels: 1 },
    { batch: 3, pixels: 7, channels: 5 },
    { batch: 2, pixels: 49, channels: 2048 },
    { batch: 67, pixels: 4, channels: 12 },
    { batch: 3, pixels: 7, channels: 5, type: 'f16' },
    { batch: 2, pixels: 49, channels: 64, type: 'f16' },
  ],
};
