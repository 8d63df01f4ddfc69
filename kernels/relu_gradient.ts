import { ceilDivide, foldGrid, sliceable, widestElement } from '../src/gpu/dispatch.ts';
import { exact, type Kernel } from './kernel.ts';
import type { ReluProblem } from './relu.ts';

const WORKGROUP_SIZE = 64;

/** dx = dy where y > 0, otherwise 0; y is the output of `relu`. All operands [count]. */
export const reluGradient: Kernel<ReluProblem> = {
  name: 'relu_gradient',
  calls: ({ count }) => {
    const { Element, components, elements: all } = widestElement(count);
    return [
      {
        variant: Element,
        operands: {
          y: { role: 'input', type: 'f32', length: count },
          dy: { role: 'input', type: 'f32', length: count },
          dx: { role: 'output', type: 'f32', length: count },
        },
        dispatches: [
          sliceable(all, { y: components, dy: components, dx: components }, (elements) => ({
            shader: 'relu_gradient.wgsl',
            constants: { Element, WORKGROUP_SIZE },
            parameters: [elements],
            operands: ['y', 'dy', 'dx'],
            workgroups: foldGrid(ceilDivide(elements, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: (_, { y, dy }) => ({ dx: exact(dy.map((gradient, i) => (y[i] > 0 ? gradient : 0))) }),
  cost: ({ count }) => ({ flop: count, bytes: 12 * count }),
  cases: [{ count: 1 }, { count: 5 }, { count: 256 }, { count: 70001 }],
};
