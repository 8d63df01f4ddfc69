/**
 * The safetensors format: eight bytes with the length of a JSON header, the header, and the bytes of
 * all tensors one after the other (https://huggingface.co/docs/safetensors).
 *
 * A file may come from anywhere, so nothing in it is believed before it is checked, and nothing is
 * allocated from a size that the file merely declares: tensors are views of the given bytes.
 */

import { bfloat16ToFloat32Bits, float16ToFloat32Bits, widen } from '../../kernels/contract/half.ts';
import {
  decodeHeader,
  ELEMENT_BYTES,
  LENGTH_BYTES,
  readHeader,
  type Dtype,
  type Entry,
  type Fail,
} from './safetensors-header.ts';
import { BoundedError, quote } from './untrusted.ts';

export type { Dtype };

/** A tensor as it lies in a file: little-endian, row-major. `bytes` is a view and may be unaligned. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The tensors of a file by name, and its metadata. */
export interface SafetensorsFile {
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Map<string, string>;
}

/** A file (or the tensors meant for one) that breaks the format. The message names the file and the place. */
export class SafetensorsError extends BoundedError {
  override readonly name = 'SafetensorsError';

  constructor(
    readonly fileName: string,
    problem: string,
  ) {
    super(`${fileName}: ${problem}`);
  }
}

/** The reference implementation's limit, which keeps the header a small part of any real file. */
export const LARGEST_HEADER_BYTES = 100_000_000;

/**
 * Reads a safetensors file without copying its tensors.
 * @param bytes the whole file; the tensors stay views of it
 * @param fileName for error messages
 * @throws SafetensorsError for anything that is not a sound file
 */
export function parseSafetensors(bytes: Uint8Array, fileName = 'safetensors data'): SafetensorsFile {
  const fail = (problem: string): never => {
    throw new SafetensorsError(fileName, problem);
  };
  if (bytes.length < LENGTH_BYTES)
    fail(
      `not a safetensors file: it has ${bytes.length} bytes, and the length of the header alone takes ${LENGTH_BYTES}`,
    );
  const declared = declaredHeaderBytes(bytes);
  if (declared > BigInt(LARGEST_HEADER_BYTES))
    fail(
      `not a safetensors file: its first 8 bytes declare a header of ${declared} bytes, more than the ${LARGEST_HEADER_BYTES} allowed`,
    );
  const dataStart = LENGTH_BYTES + Number(declared);
  if (dataStart > bytes.length)
    fail(`cut short: the header should end at byte ${dataStart}, the file ends at byte ${bytes.length}`);

  const header = readHeader(decodeHeader(bytes.subarray(LENGTH_BYTES, dataStart), fail), fail);
  const data = bytes.subarray(dataStart);
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of header.entries) {
    const [begin, end] = entry.offsets;
    const place = `tensor ${quote(name)}`;
    if (begin > end || end > data.length)
      fail(`${place}: its data_offsets [${begin}, ${end}] do not lie in the ${data.length} bytes of data`);
    const size = byteSize(entry.dtype, entry.shape);
    if (size !== end - begin)
      fail(
        `${place}: ${entry.dtype} ${describeShape(entry.shape)} takes ${size ?? 'too many'} bytes, its data_offsets [${begin}, ${end}] hold ${end - begin}`,
      );
    tensors.set(name, { dtype: entry.dtype, shape: entry.shape, bytes: data.subarray(begin, end) });
  }
  checkCoverage(header.entries, data.length, fail);
  return { tensors, metadata: header.metadata };
}

const declaredHeaderBytes = (bytes: Uint8Array): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true);

/** Where the tensors' data begin in a file that `parseSafetensors` takes. */
export const dataOffset = (bytes: Uint8Array): number => LENGTH_BYTES + Number(declaredHeaderBytes(bytes));

/**
 * The values of a tensor of floats in a fresh array; F64 is rounded.
 * @param name for error messages
 * @throws SafetensorsError for the types that are no floats
 */
export function toFloat32(tensor: StoredTensor, name = 'tensor'): Float32Array {
  // The copy is aligned, which the view need not be. (Not slice(): that of Node's Buffer is a view.) Every platform
  // with WebGPU is little-endian, as the file is.
  const { buffer } = new Uint8Array(tensor.bytes);
  switch (tensor.dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F16':
      return widen(new Uint16Array(buffer), float16ToFloat32Bits);
    case 'BF16':
      return widen(new Uint16Array(buffer), bfloat16ToFloat32Bits);
    case 'F64':
      return new Float32Array(new Float64Array(buffer));
    default:
      throw new SafetensorsError(name, `it is stored as ${tensor.dtype}; F32, F16, BF16 or F64 is needed here`);
  }
}

/**
 * In order of their offsets the tensors must follow each other without gap or overlap, from the first byte of data to
 * the last.
 */
function checkCoverage(entries: Map<string, Entry>, dataLength: number, fail: Fail): void {
  const inOrder = [...entries].sort(([, a], [, b]) => a.offsets[0] - b.offsets[0] || a.offsets[1] - b.offsets[1]);
  let covered = 0;
  for (const [
    name,
    {
      offsets: [begin, end],
    },
  ] of inOrder) {
    if (begin < covered)
      fail(`tensor ${quote(name)}: it starts at data byte ${begin} and overlaps another, which ends at ${covered}`);
    if (begin > covered)
      fail(`tensor ${quote(name)}: it starts at data byte ${begin} and leaves a gap after ${covered}`);
    covered = end;
  }
  if (covered !== dataLength) fail(`the tensors end at data byte ${covered}, the data at ${dataLength}`);
}

/** The bytes that a tensor takes, or null where their number is not exact any more. */
export function byteSize(dtype: Dtype, shape: readonly number[]): number | null {
  let size: number = ELEMENT_BYTES[dtype];
  for (const dimension of shape) {
    size *= dimension;
    if (!Number.isSafeInteger(size)) return null;
  }
  return size;
}

export function describeShape(shape: readonly number[]): string {
  return shape.length > 8 ? `of ${shape.length} dimensions` : `[${shape.join(', ')}]`;
}
