import { ceilDivide, foldGrid, sliceable, widestElement } from '../src/gpu/dispatch.ts';
import { EPSILON, type Kernel } from './kernel.ts';

export interface AddProblem {
  readonly count: number;
}

const WORKGROUP_SIZE = 64;
/** Elements an invocation adds: starting a workgroup is dear where it is a function call on a CPU. */
const STEPS = { gpu: [1, 16], cpu: [16, 1] } as const;

/** sum = a + b; accumulates gradients where a tensor has several consumers. */
export const add: Kernel<AddProblem> = {
  name: 'add',
  calls: ({ count }, traits) => {
    const { Element, components, elements: all } = widestElement(count);
    return STEPS[traits.kind].map((steps) => ({
      variant: `${steps} ${Element}`,
      operands: {
        a: { role: 'input', type: 'f32', length: count },
        b: { role: 'input', type: 'f32', length: count },
        sum: { role: 'output', type: 'f32', length: count },
      },
      dispatches: [
        sliceable(all, { a: components, b: components, sum: components }, (elements) => ({
          shader: 'add.wgsl',
          constants: { Element, WORKGROUP_SIZE },
          parameters: [elements, steps * WORKGROUP_SIZE],
          operands: ['a', 'b', 'sum'],
          workgroups: foldGrid(ceilDivide(elements, steps * WORKGROUP_SIZE)),
        })),
      ],
    }));
  },
  reference: ({ count }, { a, b }) => {
    const value = Float64Array.from({ length: count }, (_, i) => a[i] + b[i]);
    return { sum: { value, error: value.map((sum) => EPSILON * Math.abs(sum)) } };
  },
  cost: ({ count }) => ({ flop: count, bytes: 12 * count }),
  cases: [{ count: 1 }, { count: 5 }, { count: 256 }, { count: 70001 }],
};
