import { f32, sliceable, type AdapterTraits, type Word } from '../contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { EPSILON, type Kernel, type KernelCall, type Operand } from '../kernel.ts';
import { gridStrideLoops } from './grid-stride.ts';

export interface ScaleProblem {
  readonly count: number;
}

export interface ScaleByConstantProblem {
  readonly count: number;
  /** Rounded to float32. */
  readonly factor: number;
}

function callsOf(
  entryPoint: string,
  count: number,
  factor: Readonly<Record<string, Operand>>,
  parameter: readonly Word[],
  traits: AdapterTraits,
): KernelCall[] {
  return gridStrideLoops(count, traits).map(({ variant, constants, elements, components, launch }) => ({
    variant,
    operands: {
      values: { role: 'input', type: 'f32', length: count },
      ...factor,
      scaled: { role: 'output', type: 'f32', length: count },
    },
    dispatches: [
      sliceable(elements, { values: components, scaled: components }, (launched) => ({
        shader: shaders.scale,
        entryPoint,
        constants,
        operands: ['values', 'scaled', ...Object.keys(factor)],
        ...launch(launched, ...parameter),
      })),
    ],
  }));
}

/** scaled [count] = values [count] * factor [1]. */
export const scale: Kernel<ScaleProblem> = {
  name: 'scale',
  calls: ({ count }, traits) =>
    callsOf('byOperand', count, { factor: { role: 'input', type: 'f32', length: 1 } }, [], traits),
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
  calls: ({ count, factor }, traits) => callsOf('byParameter', count, {}, [f32(factor)], traits),
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
