import {
  EPSILON,
  sumError,
  type Expected,
  type Kernel,
  type KernelCall,
  type Operand,
  type Values,
} from '../../kernels/kernel.ts';
import { float16ToFloat32Bits, widen } from '../../kernels/contract/half.ts';
import type { Device } from '../../src/gpu/device.ts';
import { readBuffer } from '../../src/gpu/run-kernel.ts';
import { worstDeviation } from '../../src/tuning/comparison.ts';
import { expectedOf } from '../../src/tuning/qualification.ts';

/**
 * Whether a variant computes the right numbers, on the very problem on which it is timed: a wrong result is no faster
 * way to a right one. Small problems are held against the kernel's float64 reference, with its bounds. The reference of
 * a large one would take longer than the bench: there the variants must agree with the first of them.
 */
export interface Check {
  /** What is wrong with a variant's results; undefined where nothing is. */
  mistake(call: KernelCall, results: Results): string | undefined;
}

export type Results = Readonly<Record<string, ArrayLike<number>>>;

/** Operations that a reference may take: about a second on one core. */
const MOST_FLOP = 2e7;
const MOST_ELEMENTS = 2 ** 20;

/** Half the distance from 1 to the next 16-bit float. */
const HALF_EPSILON = 2 ** -11;

export function checkOf<Problem>(
  kernel: Kernel<Problem>,
  problem: Problem,
  inputs: Values,
  calls: readonly KernelCall[],
): Check {
  const { flop } = kernel.cost(problem);
  const elements = Math.max(
    ...calls.map(({ operands }) => Object.values(operands).reduce((sum, { length }) => sum + length, 0)),
  );
  if (flop <= MOST_FLOP && elements <= MOST_ELEMENTS) {
    let expected: Readonly<Record<string, Expected>> | undefined;
    return {
      mistake(call, results) {
        expected ??= kernel.reference(problem, inputs);
        return difference(results, expectedOf(call, inputs, expected), 'the float64 reference has');
      },
    };
  }
  let first: { readonly variant: string; readonly expected: Readonly<Record<string, Expected>> } | undefined;
  return {
    mistake(call, results) {
      if (first !== undefined) return difference(results, first.expected, `${first.variant} has`);
      const missing = Object.entries(results).find(([, values]) => !Array.prototype.some.call(values, Number.isFinite));
      if (missing !== undefined) return `wrong result: ${missing[0]} has no finite element`;
      first = {
        variant: call.variant,
        expected: Object.fromEntries(
          Object.entries(results).map(([name, values]) => [name, around(values, call.operands[name], flop)]),
        ),
      };
      return undefined;
    },
  };
}

/**
 * The results of another variant with how far float32 sums of the same terms may be from them. An element is a sum of
 * about K = flop / (2 elements) products of independent numbers, whose magnitudes add up to about sqrt(K) times what
 * the sum itself is (root mean square); each of the two variants has the error of such a sum.
 */
function around(values: ArrayLike<number>, { type, length }: Operand, flop: number): Expected {
  const value = Float64Array.from(values);
  if (type === 'u32') return { value, error: new Float64Array(length) };
  const finite = value.filter(Number.isFinite);
  const size = Math.sqrt(finite.reduce((sum, x) => sum + x * x, 0) / Math.max(1, finite.length));
  const terms = Math.max(1, flop / (2 * length));
  const relative = sumError(terms, Math.sqrt(terms)) * (type === 'f16' ? HALF_EPSILON / EPSILON : 1);
  return { value, error: value.map((x) => 2 * relative * Math.max(size, Math.abs(x))) };
}

function difference(results: Results, expected: Readonly<Record<string, Expected>>, whose: string): string | undefined {
  for (const [name, reference] of Object.entries(expected)) {
    const { element, ratio } = worstDeviation(results[name], reference);
    if (ratio > 1)
      return `wrong result: ${name}[${element}] is ${results[name][element]}, ${whose} ${reference.value[element]}, and ${reference.error[element].toPrecision(3)} was allowed`;
  }
  return undefined;
}

/** What a call has computed. */
export async function resultsOf(
  device: Device,
  { operands }: KernelCall,
  bufferOf: (name: string) => GPUBuffer,
): Promise<Results> {
  const results: Record<string, ArrayLike<number>> = {};
  for (const [name, { role, type, length }] of Object.entries(operands)) {
    if (role !== 'output' && role !== 'inout') continue;
    const bytes = await readBuffer(device, bufferOf(name));
    results[name] =
      type === 'f16'
        ? widen(new Uint16Array(bytes, 0, length), float16ToFloat32Bits)
        : type === 'f32'
          ? new Float32Array(bytes, 0, length)
          : new Uint32Array(bytes, 0, length);
  }
  return results;
}
