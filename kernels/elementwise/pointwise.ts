/**
 * One kernel for each pointwise function, made from its declaration. The functions themselves are the rows of
 * functions.ts.
 */
import { f32 } from '../contract/dispatch.ts';
import { elementBytes } from '../contract/element-types.ts';
import { sliceable } from '../contract/slices.ts';
import { blankExpected } from '../contract/expected.ts';
import { canStore, whenStored, type StorageType } from '../contract/storage-type.ts';
import type { Shader } from '../../shaders/shader.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import type { Kernel, Values } from '../kernel.ts';
import { gridStrideLoops } from './grid-stride.ts';

/** A function of one to three floats, applied element by element. */
export interface PointwiseFunction {
  /** In camel case; errors and profiles show it. */
  readonly name: string;
  /** Names of the operands, by which `wgsl` and `derivatives` mean them. */
  readonly operands: readonly string[];
  /** Names of at most four numbers that are fixed when the graph is built, each with a value for tests and benchmarks. */
  readonly parameters?: Readonly<Record<string, number>>;
  /** WGSL expression of operands and parameters, for Element = f32 and for Element = vec4f. */
  readonly wgsl: string;
  /** WGSL functions that the expression calls. */
  readonly libraries?: readonly Shader[];
  /** The same function of float64 numbers: operands, then parameters in their order. */
  value(...operands: readonly number[]): number;
  /** How far float32 arithmetic may be from `value`, which is the first argument; 0 for exact functions. */
  error(value: number, ...operands: readonly number[]): number;
  /**
   * The gradient of the loss for each operand. Left out where the function has no derivative, such as functions that
   * are derivatives themselves: a second derivative is then refused.
   */
  readonly derivatives?: readonly Derivative[];
  /** Whether activations may be stored as f16; otherwise they are upcast first. */
  readonly halves?: boolean;
  /** The numbers from which tests draw each operand; [-4, 4] if left out. */
  readonly ranges?: readonly (readonly [low: number, high: number])[];
  /** Floating-point operations of an element; 1 if left out. */
  readonly flop?: number;
}

/**
 * A function that gives the gradient for an operand: 'dy' where the gradient of the output is passed on; otherwise a
 * function and the tensors that it is applied to: 'dy', 'y' (the output), or operands by their names.
 */
export type Derivative =
  | 'dy'
  | {
      readonly function: PointwiseFunction;
      readonly of: readonly string[];
      /** Parameters of the function that are not those of the same name in the differentiated function. */
      readonly parameters?: Readonly<Record<string, number>>;
    };

export interface PointwiseProblem extends StorageType {
  /** Elements of the result. */
  readonly count: number;
  readonly parameters?: Readonly<Record<string, number>>;
  /**
   * Where an operand is broadcast: for each axis of the result, outermost first, its size, and for each operand 1 where
   * it varies along the axis and 0 where it is constant. Adjacent axes that all operands treat alike are one axis.
   */
  readonly axes?: readonly (readonly number[])[];
}

const kernels = new WeakMap<PointwiseFunction, Kernel<PointwiseProblem>>();

/** The kernel of a function: its operands, and `result`. The same function gives the same kernel. */
export function pointwiseKernel(of: PointwiseFunction): Kernel<PointwiseProblem> {
  let kernel = kernels.get(of);
  if (kernel === undefined) kernels.set(of, (kernel = makeKernel(of)));
  return kernel;
}

/** Functions and those of all their derivatives, each once. */
export function withDerivatives(functions: readonly PointwiseFunction[]): readonly PointwiseFunction[] {
  const all = new Set<PointwiseFunction>();
  const include = (one: PointwiseFunction): void => {
    if (all.has(one)) return;
    all.add(one);
    for (const derivative of one.derivatives ?? []) if (derivative !== 'dy') include(derivative.function);
  };
  functions.forEach(include);
  return [...all];
}

function makeKernel(of: PointwiseFunction): Kernel<PointwiseProblem> {
  const { operands: names, ranges, flop = 1 } = of;
  const parameterNames = Object.keys(of.parameters ?? {});
  const numbersOf = ({ parameters = {} }: PointwiseProblem): number[] => parameterNames.map((name) => parameters[name]);
  return {
    name: of.name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    calls: (problem, traits) => {
      const { count, type = 'f32' } = problem;
      if (!canStore(problem, traits)) return [];
      const axes = axesOf(problem);
      const innermost = axes[axes.length - 1];
      const lengths = names.map((_, index) => lengthOf(problem, index));
      // Only the loop that suits the adapter: the other has never been faster by more than the noise of a measurement.
      const [loop] = gridStrideLoops(count, traits, type, innermost[0]);
      const { components, Stored } = loop;
      const words = axisWords(axes, components);
      const values = [...numbersOf(problem), 0, 0, 0, 0].slice(0, 4).map(f32);
      const reads = names.map((_, index) => {
        const isScalar = components === 1 || innermost[index + 1] === 0;
        return {
          stored: isScalar ? type : Stored,
          loaded: isScalar ? 'f32' : 'vec4f',
          // As long as the result: read in the order of the result, also where launches are slices.
          whole: lengths[index] === count,
        };
      });
      const whole = names.filter((_, index) => reads[index].whole);
      return [
        {
          variant: loop.variant,
          operands: {
            ...Object.fromEntries(names.map((name, index) => [name, { role: 'input', type, length: lengths[index] }])),
            result: { role: 'output', type, length: count },
          },
          dispatches: [
            sliceable(
              loop.elements,
              Object.fromEntries([...whole, 'result'].map((name) => [name, components])),
              (launched, first) => ({
                shader: shaders.pointwise,
                libraries: [...(of.libraries ?? []), functionOf(of, parameterNames, reads)],
                features: loop.features,
                constants: {
                  ...loop.constants,
                  Index: components === 4 ? 'vec4u' : 'u32',
                  Stored,
                  AXES: words.length / 4,
                },
                operands: ['result', ...names],
                ...loop.launch(launched, first, 0, ...values, ...words),
              }),
            ),
          ],
        },
      ];
    },
    reference: (problem, inputs) => {
      const numbers = numbersOf(problem).map(Math.fround);
      const result = blankExpected(problem.count);
      const operands = names.map((name) => inputs[name]);
      const words = axisWords(axesOf(problem), 1);
      for (let i = 0; i < problem.count; i++) {
        const given = operands.map((values, index) => values[indexOf(words, index, i)]);
        result.value[i] = of.value(...given, ...numbers);
        result.error[i] = of.error(result.value[i], ...given, ...numbers);
      }
      return { result: whenStored(result, problem) };
    },
    cost: (problem) => ({
      flop: flop * problem.count,
      bytes:
        elementBytes(problem.type ?? 'f32') *
        names.reduce((sum, _, index) => sum + lengthOf(problem, index), problem.count),
    }),
    cases: casesOf(of),
    miniature,
    sampleInputs: (problem, uniform): Values =>
      Object.fromEntries(
        names.map((name, index) => {
          const [low, high] = ranges?.[index] ?? [-4, 4];
          const length = lengthOf(problem, index);
          return [name, Float64Array.from({ length }, () => Math.fround(low + ((high - low) * (uniform() + 1)) / 2))];
        }),
      ),
  };
}

/** How the shader reads an operand. */
interface OperandRead {
  readonly stored: string;
  readonly loaded: string;
  readonly whole: boolean;
}

/** The bindings of the operands, and `compute` of the shader with the function's own names. */
const functionOf = (
  { name, operands, wgsl }: PointwiseFunction,
  parameters: readonly string[],
  reads: readonly OperandRead[],
): Shader => ({
  name,
  source: [
    ...reads.map(
      ({ stored }, i) => `@group(0) @binding(${i + 2}) var<storage, read_write> operand${i}: array<${stored}>;`,
    ),
    'fn compute(i: u32) -> Element {',
    ...(reads.every(({ whole }) => whole) ? [] : ['let indices = indicesOf(i);']),
    ...reads.map(
      ({ loaded, whole }, i) =>
        `let ${operands[i]} = Element(${loaded}(operand${i}[${whole ? 'i' : `indices[${i}]`}]));`,
    ),
    ...parameters.map((parameter, i) => `let ${parameter} = Element(parameters.values[${i}]);`),
    `return ${wgsl};\n}\n`,
  ].join('\n'),
});

/** The axes of a problem; one that all operands share if it names none. */
const axesOf = ({ axes, count }: PointwiseProblem): readonly (readonly number[])[] => axes ?? [[count, 1, 1, 1]];

/** Elements of an operand: the product of the axes along which it is not constant. */
const lengthOf = (problem: PointwiseProblem, operand: number): number =>
  axesOf(problem).reduce((product, axis) => product * (axis[operand + 1] === 0 ? 1 : axis[0]), 1);

/** The element of an operand that element i of the result is computed from. */
function indexOf(words: readonly number[], operand: number, i: number): number {
  let [rest, index] = [i, 0];
  for (let axis = words.length - 4; axis >= 0; axis -= 4) {
    index += (rest % words[axis]) * words[axis + 1 + operand];
    rest = Math.floor(rest / words[axis]);
  }
  return index;
}

/** The shader's `axes`: sizes and strides, in vectors along the innermost axis and for operands that vary along it. */
function axisWords(axes: readonly (readonly number[])[], components: number): number[] {
  const words: number[] = [];
  const strides = [1, 1, 1];
  for (const [index, [size, ...varies]] of [...axes].reverse().entries()) {
    const elements = index === 0 ? size / components : size;
    words.unshift(elements, ...strides.map((stride, operand) => (varies[operand] === 1 ? stride : 0)));
    for (const operand of strides.keys()) if (varies[operand] === 1) strides[operand] *= elements;
  }
  return words;
}

/** A problem of few elements that runs the same code: rows stay multiples of four, or not. */
function miniature(problem: PointwiseProblem): PointwiseProblem {
  const axes = problem.axes?.map(([size, ...varies], index, { length }) => [
    index < length - 1 ? Math.min(size, 3) : size % 4 === 0 ? 8 : 5,
    ...varies,
  ]);
  return {
    ...problem,
    axes,
    count: axes?.reduce((product, [size]) => product * size, 1) ?? (problem.count % 4 === 0 ? 64 : 61),
  };
}

/** Vectors and scalars, and f16. What is broadcast has the trials of its miniature. */
const casesOf = ({ parameters, halves }: PointwiseFunction): readonly PointwiseProblem[] => [
  { count: 1311, parameters },
  { count: 4096, parameters },
  ...(halves === true ? [{ count: 3000, type: 'f16', parameters } as const] : []),
];
