import { ceilDivide, elementBytes, foldGrid, sliceable, widestElement, type AdapterTraits, type Dispatch, type Word } from '../src/gpu/dispatch.ts';
import * as shaders from '../src/gpu/generated/shaders.ts';
import { EPSILON, type Kernel } from './kernel.ts';
import { canStore, whenStored, type StorageType } from './storage-type.ts';

export interface AddProblem extends StorageType {
  readonly count: number;
}

/**
 * Lanes of a workgroup, and elements that each adds. On a CPU a workgroup is one vector that walks through memory: to start
 * it is dear, and several vectors that take turns would each leave gaps, which the processor's prefetching does not like.
 */
const GPU_SHAPE = { workgroupSize: 64, steps: 1 } as const;
const CPU_SHAPE = { workgroupSize: 8, steps: 64 } as const;

/** A way through `count` numbers in a row. The shader's parameters begin with the elements of a launch and those of a workgroup. */
export interface Walk {
  readonly variant: string;
  readonly constants: NonNullable<Dispatch['constants']>;
  /** Elements of the whole, and numbers of an element. */
  readonly elements: number;
  readonly components: number;
  launch(elements: number, ...others: readonly Word[]): Pick<Dispatch, 'parameters' | 'workgroups'>;
}

/** The ways of an element-wise kernel, what suits the adapter first. */
export function walksThrough(count: number, traits: AdapterTraits): readonly Walk[] {
  const { Element, components, elements } = widestElement(count);
  return (traits.kind === 'cpu' ? [CPU_SHAPE, GPU_SHAPE] : [GPU_SHAPE, CPU_SHAPE]).map(({ workgroupSize, steps }) => ({
    variant: `${workgroupSize} lanes of ${steps} ${Element}`,
    constants: { Element, WORKGROUP_SIZE: workgroupSize },
    elements,
    components,
    launch: (launched, ...others) => ({ parameters: [launched, steps * workgroupSize, ...others], workgroups: foldGrid(ceilDivide(launched, steps * workgroupSize)) }),
  }));
}

/** sum = a + b; accumulates gradients where a tensor has several consumers. */
export const add: Kernel<AddProblem> = {
  name: 'add',
  calls: (problem, traits) => {
    const { count, type = 'f32' } = problem;
    if (!canStore(problem, traits)) return [];
    const { Element, Stored, components, elements: all, features } = widestElement(count, type);
    const shapes = traits.kind === 'cpu' ? [CPU_SHAPE, GPU_SHAPE] : [GPU_SHAPE, CPU_SHAPE];
    return shapes.map(({ workgroupSize, steps }) => ({
      variant: `${workgroupSize} lanes of ${steps} ${Stored}`,
      operands: {
        a: { role: 'input', type, length: count },
        b: { role: 'input', type, length: count },
        sum: { role: 'output', type, length: count },
      },
      dispatches: [
        sliceable(all, { a: components, b: components, sum: components }, (elements) => ({
          shader: shaders.add,
          features,
          constants: { Element, Stored, WORKGROUP_SIZE: workgroupSize },
          parameters: [elements, steps * workgroupSize],
          operands: ['a', 'b', 'sum'],
          workgroups: foldGrid(ceilDivide(elements, steps * workgroupSize)),
        })),
      ],
    }));
  },
  reference: (problem, { a, b }) => {
    const value = a.map((first, i) => first + b[i]);
    return { sum: whenStored({ value, error: value.map((sum) => EPSILON * Math.abs(sum)) }, problem) };
  },
  cost: ({ count, type = 'f32' }) => ({ flop: count, bytes: 3 * elementBytes(type) * count }),
  cases: [{ count: 1 }, { count: 5 }, { count: 256 }, { count: 70001 }, { count: 5, type: 'f16' }, { count: 3000, type: 'f16' }],
  // Halves also beyond their range, where the sum must become infinite.
  sampleInputs: ({ count, type }, uniform) => {
    const numbers = (): Float64Array => Float64Array.from({ length: count }, (_, i) => uniform() + (type === 'f16' && i % 3 === 0 ? 4e4 : 0));
    return { a: numbers(), b: numbers() };
  },
};
