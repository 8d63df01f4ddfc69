import { float16ToFloat32Bits, float32ToFloat16Bits, narrow, widen } from '../contract/half.ts';
import type { FloatType } from '../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { exact, type Kernel } from '../kernel.ts';

export interface CastProblem {
  readonly count: number;
  readonly to: FloatType;
}

const WORKGROUP_SIZE = 64;

/**
 * cast [count] = values [count] as 16-bit or as 32-bit floats, rounded to nearest, ties to even, with the same bits on
 * every device.
 */
export const cast: Kernel<CastProblem> = {
  name: 'cast',
  calls: ({ count, to }, traits) => [
    {
      variant: `to ${to}`,
      operands: {
        values: { role: 'input', type: to === 'f16' ? 'f32' : 'f16', length: count },
        cast: { role: 'output', type: to, length: count },
      },
      dispatches: [
        // A unit is a word of two halves, so that no word lies in two slices.
        sliceable(ceilDivide(count, 2), { values: 2, cast: 2 }, (words, first) => ({
          shader: shaders.cast,
          constants: { TO_HALF: to === 'f16', WORKGROUP_SIZE },
          parameters: [Math.min(2 * words, count - 2 * first)],
          operands: to === 'f16' ? ['values', 'cast'] : ['cast', 'values'],
          workgroups: foldGrid(ceilDivide(words, WORKGROUP_SIZE), traits.maxWorkgroupsPerDimension),
        })),
      ],
      // Weights are downcast by the node that convolves with them: to do that again takes no convolution.
      again: { cast: { dispatches: [0], cost: cast.cost({ count, to }) } },
    },
  ],
  // Either way the values pass through 16 bits: on their way to the device, or in the kernel.
  reference: (_, { values }) => ({ cast: exact(Float64Array.from(throughHalf(values))) }),
  cost: ({ count }) => ({ flop: 0, bytes: 6 * count }),
  cases: [
    { count: 1, to: 'f16' },
    { count: 3001, to: 'f16' },
    { count: 20000, to: 'f16' },
    { count: 1, to: 'f32' },
    { count: 3001, to: 'f32' },
    { count: 20000, to: 'f32' },
  ],
  // All magnitudes from below the smallest subnormal to above the largest number, and what is no number.
  sampleInputs: ({ count }, uniform) => {
    const values = Float64Array.from({ length: count }, () =>
      Math.fround(uniform() * 2 ** Math.round(24 * uniform() - 6)),
    );
    for (const special of [
      0,
      -0,
      65504,
      65519.996,
      65520,
      -1e30,
      Infinity,
      -Infinity,
      2 ** -24,
      2 ** -25,
      1.5 * 2 ** -24,
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
    ]) {
      values[Math.floor(((uniform() + 1) / 2) * count)] = special;
    }
    return { values };
  },
};

const throughHalf = (values: Float64Array): Float32Array =>
  widen(narrow(Float32Array.from(values), float32ToFloat16Bits), float16ToFloat32Bits);
