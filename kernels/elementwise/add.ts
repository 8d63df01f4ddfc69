import { elementBytes, sliceable } from '../contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel } from '../kernel.ts';
import { canStore, whenStored, type StorageType } from '../contract/storage-type.ts';
import { gridStrideLoops } from './grid-stride.ts';

export interface AddProblem extends StorageType {
  readonly count: number;
}

/** sum = a + b; accumulates gradients where a tensor has several consumers. */
export const add: Kernel<AddProblem> = {
  name: 'add',
  calls: (problem, traits) => {
    const { count, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    return gridStrideLoops(count, traits, type).map(
      ({ variant, constants, Stored, components, elements, features, launch }) => ({
        variant,
        operands: {
          a: { role: 'input', type, length: count },
          b: { role: 'input', type, length: count },
          sum: { role: 'output', type, length: count },
        },
        dispatches: [
          sliceable(elements, { a: components, b: components, sum: components }, (launched) => ({
            shader: shaders.add,
            features,
            constants: { ...constants, Stored },
            operands: ['a', 'b', 'sum'],
            ...launch(launched),
          })),
        ],
      }),
    );
  },
  reference: (problem, { a, b }) => {
    const value = a.map((first, i) => first + b[i]);
    return { sum: whenStored({ value, error: value.map((sum) => EPSILON * Math.abs(sum)) }, problem) };
  },
  cost: ({ count, type = 'f32' }) => ({ flop: count, bytes: 3 * elementBytes(type) * count }),
  cases: [
    { count: 1 },
    { count: 5 },
    { count: 256 },
    { count: 70001 },
    { count: 5, type: 'f16' },
    { count: 3000, type: 'f16' },
  ],
  // Halves also beyond their range, where the sum must become infinite.
  sampleInputs: ({ count, type }, uniform) => {
    const numbers = (): Float64Array =>
      Float64Array.from({ length: count }, (_, i) => uniform() + (type === 'f16' && i % 3 === 0 ? 4e4 : 0));
    return { a: numbers(), b: numbers() };
  },
};
