import type { AdapterTraits } from './contract/adapter-traits.ts';
import type { Dispatch } from './contract/dispatch.ts';
import type { ElementType } from './contract/element-types.ts';
import type { TiledProduct } from './contract/tiles.ts';

/** `inout` is updated in place; `scratch` lives only while the kernel runs. */
export type Role = 'input' | 'output' | 'inout' | 'scratch';

/** What a kernel says of an operand. */
export interface Operand {
  readonly role: Role;
  readonly type: ElementType;
  /** Elements, not bytes. */
  readonly length: number;
}

/** One way to solve a problem: the dispatches in order, over named operands. */
export interface KernelCall {
  /** The variant's name, such as 'tiled 64x64x16'. */
  readonly variant: string;
  readonly operands: Readonly<Record<string, Operand>>;
  readonly dispatches: readonly Dispatch[];
  /** Outputs that a part of the dispatches computes once more, bit by bit, while the other outputs are still there. */
  readonly again?: Readonly<Record<string, PartialCall>>;
  /**
   * How many of the dispatches, the first ones, prepack weights: they read weights alone and write scratch that the
   * others read. Whoever knows that the weights stay as they are may keep that scratch and leave these dispatches out;
   * all others run the whole list.
   */
  readonly prepacking?: number;
  /**
   * Where the variant's error differs in kind from the direct sum's: bounds for its outputs, element by element, that
   * take the place of the reference's.
   */
  errorBound?(inputs: Values): Readonly<Record<string, Float64Array>>;
  /** What the cost model counts of a matrix product by tiles. */
  readonly product?: TiledProduct;
}

/** Some dispatches of a call, by their indices, and what they cost. */
export interface PartialCall {
  readonly dispatches: readonly number[];
  /** Operations and bytes of a problem. */
  readonly cost: Cost;
}

/** Values of operands by name; u32 operands hold integers. */
export type Values = Readonly<Record<string, Float64Array>>;

/** What an output must be: float64 value and, element by element, how far float32 arithmetic may be from it. */
export interface Expected {
  readonly value: Float64Array;
  /** From the error model, c * eps * sqrt(K) * sum |a||b|; 0 where the result is exact (indices, copies). */
  readonly error: Float64Array;
}

/** Work of a problem: floating-point operations, and bytes if each operand crosses the memory bus once. */
export interface Cost {
  readonly flop: number;
  readonly bytes: number;
}

/**
 * A kernel family: all that tests, benchmarks, the profiler and the plan need to know of it.
 * `Problem` is plain data (sizes and flags).
 */
export interface Kernel<Problem> {
  readonly name: string;
  /** The variants that this adapter can run, the preferred one first. Empty where it cannot store the type. */
  calls(problem: Problem, traits: AdapterTraits): readonly KernelCall[];
  /**
   * Float64 on the CPU, plain and obviously right. Takes all `input` and `inout` operands, gives all `output` and
   * `inout` ones.
   */
  reference(problem: Problem, inputs: Values): Readonly<Record<string, Expected>>;
  /** Operations and bytes of a problem. */
  cost(problem: Problem): Cost;
  /** Ragged problems on which every variant must agree with the reference before it is trusted. */
  readonly cases: readonly Problem[];
  /**
   * A small, ragged problem that the same code solves (flags, tiles, depth of blocks), where the constants of a variant
   * are too many for the cases to hold every set: the reference can be computed for it, which for the problem itself
   * would take long.
   */
  miniature?(problem: Problem): Problem;
  /** Inputs for a case where uniform numbers in [-1, 1) will not do (labels, indices, probabilities). */
  sampleInputs?(problem: Problem, uniform: () => number): Values;
}

/** A kernel of any problem type, for whoever passes on problems that the kernel's own module made. */
export type AnyKernel = Omit<Kernel<never>, 'cases' | 'miniature'> & {
  readonly cases: readonly unknown[];
  /** A smaller problem that runs the same code, on which a variant is verified. */
  miniature?(problem: never): unknown;
};

/** Half the distance from 1 to the next float32: the relative error of one rounding. */
export const EPSILON = 2 ** -24;

/** Bound on the error of a float32 sum of `length` products, given the sum of their magnitudes. */
export function sumError(length: number, magnitude: number): number {
  // A statistical bound (square root), not the worst case (linear): 4 standard deviations and the final rounding.
  return EPSILON * magnitude * (4 * Math.sqrt(length) + 2) + 1e-37;
}

/** Terms of a block where a sum of `length` terms is made of blocks in so many levels, each of as many summands. */
export const blockLength = (length: number, levels: number): number => {
  // Shorter ones cost more than they give.
  let block = Math.max(8, Math.round(length ** (1 / levels)));
  while (block ** levels < length) block++;
  return block;
};

/** Bound on the error of such a sum: at most `levels` blocks of additions lie between a term and the result. */
export function blockedSumError(length: number, levels: number, magnitude: number): number {
  return sumError(levels * blockLength(length, levels), magnitude);
}

/** Expected values that float32 must reproduce exactly. */
export function exact(value: Float64Array): Expected {
  return { value, error: new Float64Array(value.length) };
}

/**
 * The part of a call that computes one output again, as a call of its own: all other outputs are there already and only
 * read.
 */
export function callAgain(call: KernelCall, output: string): KernelCall | undefined {
  const part = call.again?.[output];
  if (part === undefined) return undefined;
  const dispatches = part.dispatches.map((index) => call.dispatches[index]);
  const operands = dispatches
    .flatMap((dispatch) => dispatch.operands)
    .map((name): [string, Operand] => {
      const operand = call.operands[name];
      return [name, name !== output && operand.role === 'output' ? { ...operand, role: 'input' } : operand];
    });
  return { variant: `${call.variant}, ${output} again`, operands: Object.fromEntries(operands), dispatches };
}
