import { ceilDivide, foldGrid, sliceable, widestElement } from '../src/gpu/dispatch.ts';
import { EPSILON, type Kernel } from './kernel.ts';

export interface MultiplyProblem {
  readonly count: number;
}

const WORKGROUP_SIZE = 64;

/** product = a * b, element by element; all [count]. */
export const multiply: Kernel<MultiplyProblem> = {
  name: 'multiply',
  calls: ({ count }) => {
    const { Element, components, elements: all } = widestElement(count);
    return [
      {
        variant: Element,
        operands: {
          a: { role: 'input', type: 'f32', length: count },
          b: { role: 'input', type: 'f32', length: count },
          product: { role: 'output', type: 'f32', length: count },
        },
        dispatches: [
          sliceable(all, { a: components, b: components, product: components }, (elements) => ({
            shader: 'multiply.wgsl',
            constants: { Element, WORKGROUP_SIZE },
            parameters: [elements],
            operands: ['a', 'b', 'product'],
            workgroups: foldGrid(ceilDivide(elements, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: ({ count }, { a, b }) => {
    const value = Float64Array.from({ length: count }, (_, i) => a[i] * b[i]);
    return { product: { value, error: value.map((product) => EPSILON * Math.abs(product)) } };
  },
  cost: ({ count }) => ({ flop: count, bytes: 12 * count }),
  cases: [{ count: 1 }, { count: 5 }, { count: 256 }, { count: 70001 }],
};
