import { ceilDivide, f32, foldGrid, sliceable, widestElement } from '../src/gpu/dispatch.ts';
import { exact, type Kernel } from './kernel.ts';

export interface FillProblem {
  readonly count: number;
  readonly value: number;
}

const WORKGROUP_SIZE = 64;

/** values [count] = a constant. */
export const fill: Kernel<FillProblem> = {
  name: 'fill',
  calls: ({ count, value }) => {
    const { Element, components, elements: all } = widestElement(count);
    return [
      {
        variant: Element,
        operands: { values: { role: 'output', type: 'f32', length: count } },
        dispatches: [
          sliceable(all, { values: components }, (elements) => ({
            shader: 'fill.wgsl',
            constants: { Element, WORKGROUP_SIZE },
            parameters: [elements, f32(value)],
            operands: ['values'],
            workgroups: foldGrid(ceilDivide(elements, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: ({ count, value }) => ({ values: exact(new Float64Array(count).fill(Math.fround(value))) }),
  cost: ({ count }) => ({ flop: 0, bytes: 4 * count }),
  cases: [
    { count: 1, value: 1 },
    { count: 7, value: 0 },
    { count: 256, value: -0.1 },
    { count: 70001, value: 3e38 },
  ],
};
