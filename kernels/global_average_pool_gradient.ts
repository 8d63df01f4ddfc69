import { ceilDivide, foldGrid, sliceable, widestElement } from '../src/gpu/dispatch.ts';
import { blankExpected } from './expected.ts';
import type { GlobalAveragePoolProblem } from './global_average_pool.ts';
import { EPSILON, type Kernel } from './kernel.ts';

const WORKGROUP_SIZE = 64;

/** dx[n, p, c] = dy[n, c] / pixels. dy [batch, channels], dx [batch, pixels, channels]. */
export const globalAveragePoolGradient: Kernel<GlobalAveragePoolProblem> = {
  name: 'global_average_pool_gradient',
  calls: ({ batch, pixels, channels }) => {
    const { Element, elements: columns } = widestElement(channels);
    return [
      {
        variant: Element,
        operands: {
          dy: { role: 'input', type: 'f32', length: batch * channels },
          dx: { role: 'output', type: 'f32', length: batch * pixels * channels },
        },
        dispatches: [
          sliceable(batch, { dy: channels, dx: pixels * channels }, (images) => ({
            shader: 'global_average_pool_gradient.wgsl',
            constants: { Element, WORKGROUP_SIZE },
            parameters: [pixels, columns, images * columns],
            operands: ['dy', 'dx'],
            workgroups: foldGrid(ceilDivide(images * columns, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: ({ batch, pixels, channels }, { dy }) => {
    const dx = blankExpected(batch * pixels * channels);
    for (let i = 0; i < dx.value.length; i++) {
      dx.value[i] = dy[Math.floor(i / (pixels * channels)) * channels + (i % channels)] / pixels;
      // A division may err by 2.5 ulp.
      dx.error[i] = 5 * EPSILON * Math.abs(dx.value[i]);
    }
    return { dx };
  },
  cost: ({ batch, pixels, channels }) => ({ flop: batch * channels, bytes: 4 * batch * (pixels + 1) * channels }),
  cases: [
    { batch: 1, pixels: 1, channels: 1 },
    { batch: 3, pixels: 7, channels: 5 },
    { batch: 2, pixels: 49, channels: 2048 },
    { batch: 67, pixels: 4, channels: 12 },
  ],
};
