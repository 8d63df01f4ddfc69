import { ceilDivide, foldGrid, sliceable, widestElement } from '../src/gpu/dispatch.ts';
import { exact, type Kernel } from './kernel.ts';

export interface ReluProblem {
  readonly count: number;
}

const WORKGROUP_SIZE = 64;

/** y = max(x, 0), element by element; a NaN stays one. x, y [count]. */
export const relu: Kernel<ReluProblem> = {
  name: 'relu',
  calls: ({ count }) => {
    const { Element, components, elements: all } = widestElement(count);
    return [
      {
        variant: Element,
        operands: { x: { role: 'input', type: 'f32', length: count }, y: { role: 'output', type: 'f32', length: count } },
        dispatches: [
          sliceable(all, { x: components, y: components }, (elements) => ({
            shader: 'relu.wgsl',
            constants: { Element, WORKGROUP_SIZE },
            parameters: [elements],
            operands: ['x', 'y'],
            workgroups: foldGrid(ceilDivide(elements, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: (_, { x }) => ({ y: exact(x.map((value) => Math.max(value, 0))) }),
  cost: ({ count }) => ({ flop: count, bytes: 8 * count }),
  cases: [{ count: 1 }, { count: 5 }, { count: 256 }, { count: 70001 }],
};
