import { sliceable } from '../contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel } from '../kernel.ts';
import { gridStrideLoops } from './grid-stride.ts';

export interface MultiplyProblem {
  readonly count: number;
}

/** product = a * b, element by element; all [count]. */
export const multiply: Kernel<MultiplyProblem> = {
  name: 'multiply',
  calls: ({ count }, traits) =>
    gridStrideLoops(count, traits).map(({ variant, constants, elements, components, launch }) => ({
      variant,
      operands: {
        a: { role: 'input', type: 'f32', length: count },
        b: { role: 'input', type: 'f32', length: count },
        product: { role: 'output', type: 'f32', length: count },
      },
      dispatches: [
        sliceable(elements, { a: components, b: components, product: components }, (launched) => ({
          shader: shaders.multiply,
          constants,
          operands: ['a', 'b', 'product'],
          ...launch(launched),
        })),
      ],
    })),
  reference: ({ count }, { a, b }) => {
    const value = Float64Array.from({ length: count }, (_, i) => a[i] * b[i]);
    return { product: { value, error: value.map((product) => EPSILON * Math.abs(product)) } };
  },
  cost: ({ count }) => ({ flop: count, bytes: 12 * count }),
  cases: [{ count: 1 }, { count: 5 }, { count: 256 }, { count: 70001 }],
};
