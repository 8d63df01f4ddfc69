import { ceilDivide, f32, foldGrid, sliceable, widestElement, type Word } from '../src/gpu/dispatch.ts';
import { EPSILON, type Kernel, type KernelCall, type Operand } from './kernel.ts';

export interface ScaleProblem {
  readonly count: number;
}

export interface ScaleByConstantProblem {
  readonly count: number;
  /** Rounded to float32. */
  readonly factor: number;
}

const WORKGROUP_SIZE = 64;

function call(entryPoint: string, count: number, factor: Readonly<Record<string, Operand>>, parameter: readonly Word[]): KernelCall {
  const { Element, components, elements: all } = widestElement(count);
  return {
    variant: Element,
    operands: {
      values: { role: 'input', type: 'f32', length: count },
      ...factor,
      scaled: { role: 'output', type: 'f32', length: count },
    },
    dispatches: [
      sliceable(all, { values: components, scaled: components }, (elements) => ({
        shader: 'scale.wgsl',
        entryPoint,
        constants: { Element, WORKGROUP_SIZE },
        parameters: [elements, ...parameter],
        operands: ['values', 'scaled', ...Object.keys(factor)],
        workgroups: foldGrid(ceilDivide(elements, WORKGROUP_SIZE)),
      })),
    ],
  };
}

/** scaled [count] = values [count] * factor [1]. */
export const scale: Kernel<ScaleProblem> = {
  name: 'scale',
  calls: ({ count }) => [call('byOperand', count, { factor: { role: 'input', type: 'f32', length: 1 } }, [])],
  reference: (_, { values, factor }) => {
    const value = values.map((element) => element * factor[0]);
    return { scaled: { value, error: value.map((product) => EPSILON * Math.abs(product)) } };
  },
  cost: ({ count }) => ({ flop: count, bytes: 8 * count + 4 }),
  cases: [{ count: 1 }, { count: 5 }, { count: 256 }, { count: 70001 }],
};

/** scaled [count] = values [count] * a constant. */
export const scaleByConstant: Kernel<ScaleByConstantProblem> = {
  name: 'scale_by_constant',
  calls: ({ count, factor }) => [call('byParameter', count, {}, [f32(factor)])],
  reference: ({ factor }, { values }) => {
    const value = values.map((element) => element * Math.fround(factor));
    return { scaled: { value, error: value.map((product) => EPSILON * Math.abs(product)) } };
  },
  cost: ({ count }) => ({ flop: count, bytes: 8 * count }),
  cases: [
    { count: 1, factor: 0 },
    { count: 5, factor: -1 },
    { count: 256, factor: 1 / 3 },
    { count: 70001, factor: 1e-3 },
  ],
};
