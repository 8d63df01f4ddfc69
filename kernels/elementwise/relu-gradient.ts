import { ceilDivide, elementBytes, foldGrid, sliceable, widestElement } from '../contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { exact, type Kernel } from '../kernel.ts';
import type { ReluProblem } from './relu.ts';
import { canStore } from '../contract/storage-type.ts';

const WORKGROUP_SIZE = 64;

/** dx = dy where y > 0, otherwise 0; y is the output of `relu`. All operands [count]. */
export const reluGradient: Kernel<ReluProblem> = {
  name: 'relu_gradient',
  calls: (problem, traits) => {
    const { count, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    const { Element, Stored, components, elements: all, features } = widestElement(count, type);
    return [
      {
        variant: Stored,
        operands: {
          y: { role: 'input', type, length: count },
          dy: { role: 'input', type, length: count },
          dx: { role: 'output', type, length: count },
        },
        dispatches: [
          sliceable(all, { y: components, dy: components, dx: components }, (elements) => ({
            shader: shaders.reluGradient,
            features,
            constants: { Element, Stored, WORKGROUP_SIZE },
            parameters: [elements],
            operands: ['y', 'dy', 'dx'],
            workgroups: foldGrid(ceilDivide(elements, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: (_, { y, dy }) => ({ dx: exact(dy.map((gradient, i) => (y[i] > 0 ? gradient : 0))) }),
  cost: ({ count, type = 'f32' }) => ({ flop: count, bytes: 3 * elementBytes(type) * count }),
  cases: [
    { count: 1 },
    { count: 5 },
    { count: 256 },
    { count: 70001 },
    { count: 5, type: 'f16' },
    { count: 3000, type: 'f16' },
  ],
};
