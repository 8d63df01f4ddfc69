import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type Values } from '../kernel.ts';
import { gridStrideLoops } from '../elementwise/grid-stride.ts';

export interface MovingAverageProblem {
  readonly count: number;
}

/**
 * average [count] += share [1] * (values [count] - average), in place; gate [2] is the report of `non_finite`: where
 * gate[0] > 0 nothing changes. Unlike that of `interpolate`, the share is read from memory, so that it can change from
 * step to step.
 */
export const movingAverage: Kernel<MovingAverageProblem> = {
  name: 'moving_average',
  calls: ({ count }, traits) =>
    gridStrideLoops(count, traits).map(({ variant, constants, elements, components, launch }) => ({
      variant,
      operands: {
        average: { role: 'inout', type: 'f32', length: count },
        values: { role: 'input', type: 'f32', length: count },
        share: { role: 'input', type: 'f32', length: 1 },
        gate: { role: 'input', type: 'u32', length: 2 },
      },
      dispatches: [
        sliceable(elements, { average: components, values: components }, (launched) => ({
          shader: shaders.movingAverage,
          constants,
          operands: ['average', 'values', 'share', 'gate'],
          ...launch(launched),
        })),
      ],
    })),
  reference: (_, { average, values, share: [share], gate }) => {
    if (gate[0] > 0) return { average: { value: average, error: new Float64Array(average.length) } };
    const value = average.map((old, i) => old + share * (values[i] - old));
    // A difference, a product, a sum.
    const error = value.map(
      (result, i) => EPSILON * (2.001 * Math.abs(share * (values[i] - average[i])) + Math.abs(result)),
    );
    return { average: { value, error } };
  },
  cost: ({ count }) => ({ flop: 3 * count, bytes: 12 * count }),
  cases: [{ count: 1 }, { count: 7 }, { count: 2048 }, { count: 26563 }],
  sampleInputs: ({ count }, uniform): Values => ({
    average: Float64Array.from({ length: count }, uniform),
    values: Float64Array.from({ length: count }, uniform),
    share: Float64Array.of(Math.abs(uniform())),
    gate: Float64Array.of(0, 0xffffffff),
  }),
};
