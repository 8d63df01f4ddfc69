import { EPSILON, sumError, type Kernel } from '../kernel.ts';
import { kindsOfSum, nameOfSum, summation } from './reduce-sum.ts';

export interface DotProblem {
  readonly count: number;
}

/** product [1] = a . b; the gradient of a scale factor. */
export const dot: Kernel<DotProblem> = {
  name: 'dot',
  calls: ({ count }, traits) =>
    kindsOfSum(traits.kind).map((kind) => {
      const { scratch, dispatches } = summation(['a', 'b'], count, 'product', 1, kind);
      return {
        variant: nameOfSum(kind),
        operands: {
          a: { role: 'input', type: 'f32', length: count },
          b: { role: 'input', type: 'f32', length: count },
          product: { role: 'output', type: 'f32', length: 1 },
          ...scratch,
        },
        dispatches,
      };
    }),
  reference: ({ count }, { a, b }) => {
    let product = 0;
    let magnitude = 0;
    for (let i = 0; i < count; i++) {
      product += a[i] * b[i];
      magnitude += Math.abs(a[i] * b[i]);
    }
    // Each term is rounded once more, as a product.
    return {
      product: {
        value: Float64Array.of(product),
        error: Float64Array.of(sumError(count, magnitude) + EPSILON * magnitude),
      },
    };
  },
  cost: ({ count }) => ({ flop: 2 * count, bytes: 8 * count + 4 }),
  cases: [{ count: 1 }, { count: 13 }, { count: 1024 }, { count: 5003 }, { count: 300000 }],
};
