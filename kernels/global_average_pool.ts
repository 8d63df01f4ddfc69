import { ceilDivide, foldGrid, sliceable, widestElement } from '../src/gpu/dispatch.ts';
import { blankExpected } from './expected.ts';
import { EPSILON, sumError, type Kernel } from './kernel.ts';

export interface GlobalAveragePoolProblem {
  readonly batch: number;
  /** H * W of an activation in NHWC. */
  readonly pixels: number;
  readonly channels: number;
}

const WORKGROUP_SIZE = 64;

/** y[n, c] = mean over p of x[n, p, c]. x [batch, pixels, channels], y [batch, channels]. */
export const globalAveragePool: Kernel<GlobalAveragePoolProblem> = {
  name: 'global_average_pool',
  calls: ({ batch, pixels, channels }) => {
    const { Element, elements: columns } = widestElement(channels);
    return [
      {
        variant: Element,
        operands: {
          x: { role: 'input', type: 'f32', length: batch * pixels * channels },
          y: { role: 'output', type: 'f32', length: batch * channels },
        },
        dispatches: [
          sliceable(batch, { x: pixels * channels, y: channels }, (images) => ({
            shader: 'global_average_pool.wgsl',
            constants: { Element, WORKGROUP_SIZE },
            parameters: [pixels, columns, images * columns],
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
        y.error[n * channels + c] = (sumError(pixels, magnitude) + 5 * EPSILON * Math.abs(sum)) / pixels;
      }
    }
    return { y };
  },
  cost: ({ batch, pixels, channels }) => ({ flop: batch * pixels * channels, bytes: 4 * batch * (pixels + 1) * channels }),
  cases: [
    { batch: 1, pixels: 1, channels: 1 },
    { batch: 3, pixels: 7, channels: 5 },
    { batch: 2, pixels: 49, channels: 2048 },
    { batch: 67, pixels: 4, channels: 12 },
  ],
};
