import type { Kernel, KernelCall, Values } from '../../kernels/kernel.ts';
import type { Device } from '../../src/gpu/device.ts';
import { KernelCalls, type InputBytes, type PreparedCall } from '../../src/benchmark/kernel-calls.ts';
import { float16ToFloat32Bits, float32ToFloat16Bits, narrow, widen } from '../../kernels/contract/half.ts';
import { RandomStream } from '../../src/random/philox.ts';
import { checkOf, resultsOf } from './check.ts';
import type { Product } from './product.ts';

/** The batch and the height and width of its images, on which the shapes of a network's layers depend. */
export interface Work {
  readonly batch: number;
  readonly size: number;
}

export type Problems<Problem> = Readonly<Record<string, Problem>>;

/**
 * The problems on which a kernel is timed, by a name that says where they occur; a function where they depend on the
 * work.
 */
export interface KernelBench<Problem> {
  readonly kernel: Kernel<Problem>;
  readonly problems: Problems<Problem> | ((work: Work) => Problems<Problem>);
  /** Of GEMM-shaped kernels: what kind of product a problem is, see matrix-products.ts. */
  product?(problem: Problem): Product;
}

export function problemsOf<Problem>({ problems }: KernelBench<Problem>, work: Work): Problems<Problem> {
  return typeof problems === 'function' ? problems(work) : problems;
}

/**
 * The variants of one problem. Those that the device refuses or that compute wrong numbers are in `failures`, so that
 * the others can still be timed.
 */
export interface PreparedProblem {
  readonly variants: readonly PreparedCall[];
  readonly failures: readonly { readonly variant: string; readonly message: string }[];
  destroy(): void;
}

/** A word that is NaN as f32, and as either half of it as f16. */
const NOT_WRITTEN = 0x7fff7fff;

/** Above this many elements the numbers of a kernel's own `sampleInputs` would take longer to make than to use. */
const SAMPLED_ELEMENTS = 2 ** 20;

/**
 * Compiles the variants of a problem and puts their operands on the device, shared among variants. Inputs are random:
 * zeros would take less power on a GPU and let it run faster than it does at work. Repetitions find operands in the
 * cache where they fit, as a layer finds what its neighbour has just written.
 * Results are checked before a variant counts (see check.ts), but for those of measuring kernels, which mean nothing.
 */
export async function prepareProblem<Problem>(
  device: Device,
  kernel: Kernel<Problem>,
  problem: Problem,
  calls: readonly KernelCall[],
): Promise<PreparedProblem> {
  const variants: PreparedCall[] = [];
  const failures: { variant: string; message: string }[] = [];
  const inputs = inputsOf(kernel, problem, calls[0]);
  const prepared = new KernelCalls(device, inputs);
  const check = kernel.name.startsWith('measure_')
    ? undefined
    : checkOf(kernel, problem, float64Of(inputs, calls), calls);
  for (const call of calls) {
    try {
      const variant = await prepared.prepare(call);
      const { buffers } = variant;
      // The variant before has changed what is updated in place; and what it computed must not pass for the results of
      // this one.
      for (const [name, operand] of Object.entries(call.operands)) {
        if (operand.role === 'inout') device.gpu.queue.writeBuffer(buffers[name], 0, inputs(name, operand));
        if (operand.role === 'output')
          device.gpu.queue.writeBuffer(buffers[name], 0, new Uint32Array(buffers[name].size / 4).fill(NOT_WRITTEN));
      }
      // Some drivers compile when a pipeline runs first; what they refuse there must not be timed either.
      await variant.run(1);
      const mistake = check?.mistake(call, await resultsOf(device, call, (name) => buffers[name]));
      if (mistake !== undefined) throw new Error(mistake);
      variants.push(variant);
    } catch (error) {
      if (device.failed !== undefined) throw error;
      failures.push({ variant: call.variant, message: error instanceof Error ? error.message : String(error) });
    }
  }
  return { variants, failures, destroy: () => prepared.destroy() };
}

function inputsOf<Problem>(kernel: Kernel<Problem>, problem: Problem, call: KernelCall): InputBytes {
  const elements = Object.values(call.operands).reduce((sum, { length }) => sum + length, 0);
  const sampled = elements <= SAMPLED_ELEMENTS ? kernel.sampleInputs?.(problem, repeated(randomBlock)) : undefined;
  // Too large for numbers of its own: those of a small case over and over, so that variances stay positive and rows sum
  // to 1.
  const pattern = sampled === undefined ? sampleOfCase(kernel) : undefined;
  return (name, operand) => {
    const given = sampled?.[name];
    const block = pattern?.[name];
    if (given === undefined && block !== undefined && block.length > 0 && operand.type === 'f32')
      return tiled(Float32Array.from(block), new Float32Array(operand.length));
    // Zero is a label and an index that every problem has.
    if (operand.type === 'u32') return given === undefined ? new Uint32Array(operand.length) : Uint32Array.from(given);
    const even = operand.length + (operand.length % 2);
    if (operand.type === 'f16')
      return given === undefined
        ? tiled(randomHalves, new Uint16Array(even))
        : (narrow(
            Float32Array.from({ length: even }, (_, index) => given[index] ?? 0),
            float32ToFloat16Bits,
          ) as Uint16Array<ArrayBuffer>);
    return given === undefined ? tiled(randomBlock, new Float32Array(operand.length)) : Float32Array.from(given);
  };
}

/** The numbers of the largest of a kernel's own cases, where it draws them itself. */
function sampleOfCase<Problem>({ cases, sampleInputs }: Kernel<Problem>): Values | undefined {
  if (sampleInputs === undefined) return undefined;
  const size = (values: Values): number => Object.values(values).reduce((sum, { length }) => sum + length, 0);
  return cases.map((problem) => sampleInputs(problem, repeated(randomBlock))).sort((a, b) => size(b) - size(a))[0];
}

/** The inputs as the device has them, for a reference in float64; made only where it asks for them. */
function float64Of(inputs: InputBytes, calls: readonly KernelCall[]): Values {
  const values: Record<string, Float64Array> = {};
  for (const [name, operand] of calls.flatMap(({ operands }) => Object.entries(operands))) {
    if (name in values || (operand.role !== 'input' && operand.role !== 'inout')) continue;
    let made: Float64Array | undefined;
    const make = (): Float64Array => {
      const given = inputs(name, operand);
      return Float64Array.from(
        (operand.type === 'f16'
          ? widen(given as Uint16Array, float16ToFloat32Bits)
          : (given as Float32Array | Uint32Array)
        ).subarray(0, operand.length),
      );
    };
    Object.defineProperty(values, name, { enumerable: true, get: () => (made ??= make()) });
  }
  return values;
}

/** Fills an array with a block over and over. */
function tiled<Numbers extends Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>>(
  block: Numbers,
  values: Numbers,
): Numbers {
  for (let start = 0; start < values.length; start += block.length)
    values.set(block.subarray(0, values.length - start), start);
  return values;
}

/** Numbers in [-1, 1). Its length is prime, so that no row of a matrix is the one above it. */
const randomBlock = ((): Float32Array<ArrayBuffer> => {
  const random = new RandomStream(0, 0);
  return Float32Array.from({ length: 65_521 }, () => 2 * random.uniform() - 1);
})();

const randomHalves = narrow(randomBlock, float32ToFloat16Bits) as Uint16Array<ArrayBuffer>;

function repeated(block: Float32Array): () => number {
  let next = 0;
  return () => block[next++ % block.length];
}
