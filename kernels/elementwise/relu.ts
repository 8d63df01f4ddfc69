import { ceilDivide, elementBytes, foldGrid, sliceable, widestElement } from '../contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { exact, type Kernel } from '../kernel.ts';
import { canStore, type StorageType } from '../contract/storage-type.ts';

export interface ReluProblem extends StorageType {
  readonly count: number;
}

const WORKGROUP_SIZE = 64;

/** y = max(x, 0), element by element; a NaN stays one. x, y [count]. */
export const relu: Kernel<ReluProblem> = {
  name: 'relu',
  calls: (problem, traits) => {
    const { count, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    const { Element, Stored, components, elements: all, features } = widestElement(count, type);
    return [
      {
        variant: Stored,
        operands: { x: { role: 'input', type, length: count }, y: { role: 'output', type, length: count } },
        dispatches: [
          sliceable(all, { x: components, y: components }, (elements) => ({
            shader: shaders.relu,
            features,
            constants: { Element, Stored, WORKGROUP_SIZE },
            parameters: [elements],
            operands: ['x', 'y'],
            workgroups: foldGrid(ceilDivide(elements, WORKGROUP_SIZE)),
          })),
        ],
      },
    ];
  },
  reference: (_, { x }) => ({ y: exact(x.map((value) => Math.max(value, 0))) }),
  cost: ({ count, type = 'f32' }) => ({ flop: count, bytes: 2 * elementBytes(type) * count }),
  cases: [
    { count: 1 },
    { count: 5 },
    { count: 256 },
    { count: 70001 },
    { count: 5, type: 'f16' },
    { count: 3000, type: 'f16' },
  ],
};
