// The contents of the buffers that a benchmark binds.
import { float16ToFloat32Bits, float32ToFloat16Bits, narrow, widen } from '../../../kernels/contract/half.ts';
import { RandomStream } from '../../random/philox.ts';
import { BenchmarkError } from './error.ts';
import { SCALAR_BYTES, type ScalarType, type WgslBinding } from './interface.ts';

/** How a buffer is filled: with random numbers of [low, high), with 0, 1, 2, ..., or with one number. */
export type Fill =
  | { readonly kind: 'random'; readonly seed?: number; readonly low?: number; readonly high?: number }
  | { readonly kind: 'iota' }
  | { readonly kind: 'constant'; readonly value: number };

/** A buffer: a number of elements with a fill, or its bytes. */
export type BufferContent =
  | {
      /** Of the numbers; that of the binding where it has only one. */
      readonly type?: ScalarType;
      /** Numbers of an element: 4 of a vec4. A vec3 takes the place of four in an array. Default 1. */
      readonly components?: number;
      /** Elements of this type; where none is given, elements of the binding's array. */
      readonly count: number;
      /** Default: random for a buffer that the kernel only reads, otherwise zeros. */
      readonly fill?: Fill;
    }
  | { readonly bytes: ArrayBuffer | ArrayBufferView; readonly type?: ScalarType };

/** Values of a uniform block: of each member by its name, or all numbers in the order of their declaration. */
export type UniformContent = number | readonly number[] | Readonly<Record<string, number | readonly number[]>>;

/** Elements of the block of random numbers that is written again and again; a prime, so that no row repeats the one above. */
const BLOCK = 65_521;

/**
 * The bytes of a buffer.
 * @throws BenchmarkError where the content does not fit the binding
 */
export function bufferBytes(
  file: string,
  binding: WgslBinding,
  content: BufferContent | undefined,
): Uint8Array<ArrayBuffer> {
  const { name, type, scalar, stride, fixedBytes } = binding;
  const where = `${file}: binding ${name} (${type})`;
  if (content === undefined) {
    if (stride > 0)
      throw new BenchmarkError(`${where} has no size: give it one with --buffer ${name}:${scalar ?? 'f32'}[COUNT]`);
    return filled(scalar ?? 'f32', fixedBytes / SCALAR_BYTES[scalar ?? 'f32'], defaultFill(binding));
  }
  if (content.type !== undefined && scalar !== undefined && content.type !== scalar)
    throw new BenchmarkError(`${where} holds ${scalar}, and --buffer ${name} gives ${content.type}`);
  let bytes: Uint8Array<ArrayBuffer>;
  if ('bytes' in content) bytes = copied(content.bytes);
  else {
    const { type: used, numbers } = extentOf(binding, content);
    bytes = filled(used, numbers, content.fill ?? defaultFill(binding));
  }
  const fits = stride > 0 ? bytes.length >= fixedBytes + stride : bytes.length >= fixedBytes;
  if (!fits)
    throw new BenchmarkError(
      `${where} needs at least ${stride > 0 ? fixedBytes + stride : fixedBytes} bytes, and --buffer ${name} gives ${bytes.length}`,
    );
  return bytes;
}

const defaultFill = ({ usage }: WgslBinding): Fill =>
  usage === 'read' ? { kind: 'random' } : { kind: 'constant', value: 0 };

function copied(bytes: ArrayBuffer | ArrayBufferView): Uint8Array<ArrayBuffer> {
  const view = ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
  const words = new Uint8Array(4 * Math.ceil(view.length / 4));
  words.set(view);
  return words;
}

/** Bytes of what is given for a buffer, before it is made. */
export function bufferLength(binding: WgslBinding, content: BufferContent | undefined): number {
  if (content === undefined) return binding.fixedBytes;
  if ('bytes' in content) return content.bytes.byteLength;
  const { type, numbers } = extentOf(binding, content);
  return numbers * SCALAR_BYTES[type];
}

/** The type of a buffer's numbers, and how many fill it. */
function extentOf(
  { scalar, stride }: WgslBinding,
  { type, components = 1, count }: Exclude<BufferContent, { readonly bytes: unknown }>,
): { readonly type: ScalarType; readonly numbers: number } {
  const used = type ?? scalar ?? 'f32';
  if (type === undefined && stride > 0) return { type: used, numbers: (count * stride) / SCALAR_BYTES[used] };
  return { type: used, numbers: count * (components === 3 ? 4 : components) };
}

function filled(type: ScalarType, numbers: number, fill: Fill): Uint8Array<ArrayBuffer> {
  const next = generator(type, fill);
  const length = fill.kind === 'random' ? Math.min(numbers, BLOCK) : numbers;
  const values = Float64Array.from({ length }, (_, index) => next(index));
  const block = encode(type, values);
  const bytes = new Uint8Array(4 * Math.ceil((numbers * SCALAR_BYTES[type]) / 4));
  const used = length * SCALAR_BYTES[type];
  for (let offset = 0; offset < bytes.length; offset += used)
    bytes.set(block.subarray(0, Math.min(used, bytes.length - offset)), offset);
  return bytes;
}

/** Numbers by index. Random floats are in [-1, 1) by default, random integers in [0, 256). */
function generator(type: ScalarType, fill: Fill): (index: number) => number {
  if (fill.kind === 'iota') return (index) => index;
  if (fill.kind === 'constant') return () => fill.value;
  const isFloat = type === 'f32' || type === 'f16';
  const { seed = 0, low = isFloat ? -1 : 0, high = isFloat ? 1 : 256 } = fill;
  const random = new RandomStream(seed, 0);
  return () => {
    const value = low + (high - low) * random.uniform();
    return isFloat ? value : Math.floor(value);
  };
}

/** Numbers as the bytes of a type, whole words of them. */
export function encode(type: ScalarType, values: Float64Array): Uint8Array<ArrayBuffer> {
  const encoded =
    type === 'f32'
      ? Float32Array.from(values)
      : type === 'i32'
        ? Int32Array.from(values)
        : type === 'u32'
          ? Uint32Array.from(values)
          : narrow(Float32Array.from(values), float32ToFloat16Bits);
  return copied(encoded as ArrayBufferView);
}

/** Bytes as numbers: of f16 as the float32 of the same value. */
export function decode(type: ScalarType, bytes: ArrayBuffer): Float32Array | Int32Array | Uint32Array {
  if (type === 'f32') return new Float32Array(bytes);
  if (type === 'i32') return new Int32Array(bytes);
  if (type === 'u32') return new Uint32Array(bytes);
  return widen(new Uint16Array(bytes), float16ToFloat32Bits);
}

/**
 * The bytes of a uniform block.
 * @throws BenchmarkError for a member that the block does not have, one without a value, and a wrong number of values
 */
export function uniformBytes(
  file: string,
  binding: WgslBinding,
  content: UniformContent | undefined,
): Uint8Array<ArrayBuffer> {
  const { name, fields, fixedBytes, type } = binding;
  const where = `${file}: uniform ${name} (${type})`;
  const members = fields.map(({ path }) => path || name).join(', ');
  if (content === undefined)
    throw new BenchmarkError(`${where} has no values: give them with --uniform ${name}=VALUE,... for ${members}`);
  const bytes = new Uint8Array(4 * Math.ceil(fixedBytes / 4));
  const view = new DataView(bytes.buffer);
  const write = ({ scalar, offsets, path }: (typeof fields)[number], values: readonly number[]): void => {
    if (values.length !== offsets.length)
      throw new BenchmarkError(
        `${where}: ${path || name} takes ${offsets.length} numbers, and ${values.length} are given`,
      );
    offsets.forEach((offset, index) => {
      const value = values[index];
      if (scalar === 'f32') view.setFloat32(offset, value, true);
      else if (scalar === 'f16') bytes.set(encode('f16', Float64Array.of(value)).subarray(0, 2), offset);
      else view.setUint32(offset, value >>> 0, true);
    });
  };
  if (typeof content === 'object' && !Array.isArray(content)) {
    const given = content as Readonly<Record<string, number | readonly number[]>>;
    for (const key of Object.keys(given))
      if (!fields.some(({ path }) => path === key))
        throw new BenchmarkError(`${where} has no member ${key}; it has ${members}`);
    for (const field of fields) {
      const value = given[field.path];
      if (value === undefined) throw new BenchmarkError(`${where}: no value for ${field.path}; it needs ${members}`);
      write(field, [value].flat() as number[]);
    }
    return bytes;
  }
  const numbers = [content as number | readonly number[]].flat() as number[];
  const wanted = fields.reduce((sum, { offsets }) => sum + offsets.length, 0);
  if (numbers.length !== wanted)
    throw new BenchmarkError(`${where} takes ${wanted} numbers (${members}), and ${numbers.length} are given`);
  let first = 0;
  for (const field of fields) write(field, numbers.slice(first, (first += field.offsets.length)));
  return bytes;
}
