import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel } from '../kernel.ts';
import { gridStrideLoops } from './grid-stride.ts';

export interface AccumulateProblem {
  readonly count: number;
}

/** total [count] += part [count], in place; sums the gradients of micro-batches. */
export const accumulate: Kernel<AccumulateProblem> = {
  name: 'accumulate',
  calls: ({ count }, traits) =>
    gridStrideLoops(count, traits).map(({ variant, constants, elements, components, launch }) => ({
      variant,
      operands: {
        total: { role: 'inout', type: 'f32', length: count },
        part: { role: 'input', type: 'f32', length: count },
      },
      dispatches: [
        sliceable(elements, { total: components, part: components }, (launched) => ({
          shader: shaders.accumulate,
          constants,
          operands: ['total', 'part'],
          ...launch(launched),
        })),
      ],
    })),
  reference: ({ count }, { total, part }) => {
    const value = Float64Array.from({ length: count }, (_, i) => total[i] + part[i]);
    return { total: { value, error: value.map((sum) => EPSILON * Math.abs(sum)) } };
  },
  cost: ({ count }) => ({ flop: count, bytes: 12 * count }),
  cases: [{ count: 1 }, { count: 5 }, { count: 256 }, { count: 70001 }],
};
