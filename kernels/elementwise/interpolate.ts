import { f32 } from '../contract/dispatch.ts';
import { sliceable } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type Values } from '../kernel.ts';
import { gridStrideLoops } from './grid-stride.ts';

export interface InterpolateProblem {
  readonly count: number;
  /** The share of the new value: 0 keeps the old one, 1 replaces it. */
  readonly momentum: number;
}

/**
 * running [count] += momentum * (batch [count] - running), in place; gate [2] is the report of `non_finite`: where
 * gate[0] > 0 nothing changes.
 */
export const interpolate: Kernel<InterpolateProblem> = {
  name: 'interpolate',
  calls: ({ count, momentum }, traits) =>
    gridStrideLoops(count, traits).map(({ variant, constants, elements, components, launch }) => ({
      variant,
      operands: {
        running: { role: 'inout', type: 'f32', length: count },
        batch: { role: 'input', type: 'f32', length: count },
        gate: { role: 'input', type: 'u32', length: 2 },
      },
      dispatches: [
        sliceable(elements, { running: components, batch: components }, (launched) => ({
          shader: shaders.interpolate,
          constants,
          operands: ['running', 'batch', 'gate'],
          ...launch(launched, f32(momentum)),
        })),
      ],
    })),
  reference: ({ momentum }, { running, batch, gate }) => {
    const share = gate[0] > 0 ? 0 : Math.fround(momentum);
    const value = running.map((old, i) => (share === 1 ? batch[i] : old + share * (batch[i] - old)));
    // A difference, a product, a sum; none of them where nothing changes, or everything.
    const error = value.map((result, i) =>
      share === 0 || share === 1 ? 0 : EPSILON * (2.001 * Math.abs(share * (batch[i] - running[i])) + Math.abs(result)),
    );
    return { running: { value, error } };
  },
  cost: ({ count }) => ({ flop: 3 * count, bytes: 12 * count }),
  cases: [
    { count: 1, momentum: 0.1 },
    { count: 7, momentum: 1 },
    { count: 2048, momentum: 0.1 },
    { count: 26563, momentum: 0.01 },
  ],
  sampleInputs: ({ count }, uniform): Values => ({
    running: Float64Array.from({ length: count }, uniform),
    batch: Float64Array.from({ length: count }, uniform),
    gate: Float64Array.of(0, 0xffffffff),
  }),
};
