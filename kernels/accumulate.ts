import { ceilDivide, foldGrid, sliceable, widestElement } from '../src/gpu/dispatch.ts';
import { EPSILON, type Kernel } from './kernel.ts';

export interface AccumulateProblem {
  readonly count: number;
}

const WORKGROUP_SIZE = 64;

/** total [count] += part [count], in place; sums the gradients of micro-batches. */
export const accumulate: Kernel<AccumulateProblem> = {
  name: 'accumulate',
  calls: ({ count }) => {
    const { Element, components, elements: all } = widestElement(count);
    return [
      {
        variant: Element,
        operands: {
          total: { role: 'inout', type: 'f32', length: count },
          part: { role: 'input', type: 'f32', length: count },
        },
        dispatches: [
          sliceable(all, { total: components, part: components }, (elements) => ({
            shader: 'accumulate.wgsl',
            constants: { Element, WORKGROUP_SIZE },
            parameters: [elements],
            operands: ['total', 'part'],
            workgroups: foldGrid(ceilDivide(elements, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: ({ count }, { total, part }) => {
    const value = Float64Array.from({ length: count }, (_, i) => total[i] + part[i]);
    return { total: { value, error: value.map((sum) => EPSILON * Math.abs(sum)) } };
  },
  cost: ({ count }) => ({ flop: count, bytes: 12 * count }),
  cases: [{ count: 1 }, { count: 5 }, { count: 256 }, { count: 70001 }],
};
