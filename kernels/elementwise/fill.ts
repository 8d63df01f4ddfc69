import { f32 } from '../contract/dispatch.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { exact, type Kernel } from '../kernel.ts';
import { gridStrideLoops } from './grid-stride.ts';

export interface FillProblem {
  readonly count: number;
  readonly value: number;
}

/** values [count] = a constant. */
export const fill: Kernel<FillProblem> = {
  name: 'fill',
  calls: ({ count, value }, traits) =>
    gridStrideLoops(count, traits).map(({ variant, constants, elements, components, launch }) => ({
      variant,
      operands: { values: { role: 'output', type: 'f32', length: count } },
      dispatches: [
        sliceable(elements, { values: components }, (launched) => ({
          shader: shaders.fill,
          constants,
          operands: ['values'],
          ...launch(launched, f32(value)),
        })),
      ],
    })),
  reference: ({ count, value }) => ({ values: exact(new Float64Array(count).fill(Math.fround(value))) }),
  cost: ({ count }) => ({ flop: 0, bytes: 4 * count }),
  cases: [
    { count: 1, value: 1 },
    { count: 7, value: 0 },
    { count: 256, value: -0.1 },
    { count: 70001, value: 3e38 },
  ],
};
