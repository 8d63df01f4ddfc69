/**
 * The safetensors format: eight bytes with the length of a JSON header, the header, and the bytes of
 * all tensors one after the other (https://huggingface.co/docs/safetensors).
 *
 * A file may come from anywhere, so nothing in it is believed before it is checked, and nothing is
 * allocated from a size that the file merely declares: tensors are views of the bytes at hand. The
 * header is read by a scanner of its own instead of JSON.parse, because JSON.parse hides duplicate
 * keys, rounds large integers and cannot say at which byte something is wrong. The scanner follows
 * the fixed levels of a header and nothing deeper, so that no nesting can exhaust the stack. Names
 * are keys of a Map, where `__proto__` is a name like any other.
 */

import {
  bfloat16ToFloat32Bits,
  float16ToFloat32Bits,
  float32ToBfloat16Bits,
  float32ToFloat16Bits,
  narrow,
  widen,
} from '../../kernels/contract/half.ts';
import { BoundedError, quote } from './untrusted.ts';

/** Bytes an element, by the format's names of the types. */
const ELEMENT_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F16: 2,
  BF16: 2,
  U16: 2,
  I16: 2,
  F32: 4,
  U32: 4,
  I32: 4,
  F64: 8,
  U64: 8,
  I64: 8,
} as const;

/** Element types of safetensors files. */
export type Dtype = keyof typeof ELEMENT_BYTES;

/** A tensor as it lies in a file: little-endian, row-major. `bytes` is a view and may be unaligned. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * A tensor to be written. A Float32Array is narrowed where `dtype` is F16 or BF16; in every other
 * case `data` holds the tensor's elements as they are (a Uint8Array: their little-endian bytes).
 */
export interface TensorToStore {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
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
const LARGEST_HEADER_BYTES = 100_000_000;
/** Far above any real tensor's, so that a header of nothing but dimensions does not become an array of millions. */
const MOST_DIMENSIONS = 32;
const LENGTH_BYTES = 8;
const METADATA_KEY = '__metadata__';

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
 * Writes tensors and metadata. The same input gives the same bytes whatever its order, and every
 * tensor starts at a multiple of its element size.
 * @throws SafetensorsError where a name comes twice or data and shape disagree
 */
export function serializeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: TensorToStore]>,
  metadata: Iterable<readonly [key: string, value: string]> = [],
): Uint8Array {
  const fail = (problem: string): never => {
    throw new SafetensorsError('safetensors to be written', problem);
  };
  // Larger elements first: with the header padded to 8 bytes, all of them are then aligned.
  const sorted = [...tensors].sort(
    ([nameA, a], [nameB, b]) => ELEMENT_BYTES[b.dtype] - ELEMENT_BYTES[a.dtype] || compareText(nameA, nameB),
  );

  const parts: Uint8Array[] = [];
  const entries: string[] = [];
  const names = new Set<string>();
  let length = 0;
  const metadataEntries = [...new Map(metadata)].sort(([a], [b]) => compareText(a, b));
  if (metadataEntries.length > 0) {
    const pairs = metadataEntries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    entries.push(`${JSON.stringify(METADATA_KEY)}:{${pairs.join(',')}}`);
  }
  for (const [name, tensor] of sorted) {
    if (name === METADATA_KEY) fail(`${METADATA_KEY} is the format's own key and cannot name a tensor`);
    if (names.has(name)) fail(`two tensors are called ${quote(name)}`);
    names.add(name);
    const bytes = storedBytes(tensor);
    const size = tensor.shape.every(isCount) ? byteSize(tensor.dtype, tensor.shape) : null;
    if (size !== bytes.length)
      fail(
        `tensor ${quote(name)}: ${tensor.dtype} ${describeShape(tensor.shape)} takes ${size ?? 'no possible number of'} bytes, its data has ${bytes.length}`,
      );
    const end = length + bytes.length;
    entries.push(
      `${JSON.stringify(name)}:{"dtype":"${tensor.dtype}","shape":[${tensor.shape.join(',')}],"data_offsets":[${length},${end}]}`,
    );
    parts.push(bytes);
    length = end;
  }

  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  const headerLength = Math.ceil(json.length / 8) * 8;
  if (headerLength > LARGEST_HEADER_BYTES)
    fail(`the header would take ${headerLength} bytes, more than the ${LARGEST_HEADER_BYTES} allowed`);
  const file = new Uint8Array(LENGTH_BYTES + headerLength + length);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(json, LENGTH_BYTES);
  file.fill(0x20, LENGTH_BYTES + json.length, LENGTH_BYTES + headerLength);
  let position = LENGTH_BYTES + headerLength;
  for (const part of parts) {
    file.set(part, position);
    position += part.length;
  }
  return file;
}

function storedBytes({ dtype, data }: TensorToStore): Uint8Array {
  let elements = data;
  // By its tag: an array of another realm (a worker's, a test runner's) is no instance of this one's class.
  if (Object.prototype.toString.call(data) === '[object Float32Array]') {
    if (dtype === 'F16') elements = narrow(data as Float32Array, float32ToFloat16Bits);
    if (dtype === 'BF16') elements = narrow(data as Float32Array, float32ToBfloat16Bits);
  }
  return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
}

interface Entry {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly offsets: readonly [begin: number, end: number];
}

type Fail = (problem: string) => never;

function decodeHeader(bytes: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('the header is not UTF-8 text');
  }
}

function readHeader(text: string, fail: Fail): { entries: Map<string, Entry>; metadata: Map<string, string> } {
  const scanner = new HeaderScanner(text, fail);
  const entries = new Map<string, Entry>();
  const metadata = new Map<string, string>();
  // The format asks for the brace in the very first byte.
  if (text[0] !== '{') scanner.failHere('the header must start with {');
  scanner.object('the header', (name) => {
    if (name === METADATA_KEY) scanner.object(METADATA_KEY, (key) => void metadata.set(key, scanner.string()));
    else entries.set(name, readEntry(scanner, name));
  });
  scanner.end();
  return { entries, metadata };
}

function readEntry(scanner: HeaderScanner, name: string): Entry {
  const place = `tensor ${quote(name)}`;
  let dtype: Dtype | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  scanner.object(place, (key) => {
    if (key === 'dtype') dtype = readDtype(scanner, place);
    else if (key === 'shape') shape = scanner.counts(`${place}, shape`);
    else if (key === 'data_offsets') offsets = scanner.counts(`${place}, data_offsets`);
    else scanner.failHere(`${place} has an unknown key ${quote(key)}`);
  });
  if (dtype === undefined || shape === undefined || offsets === undefined)
    return scanner.failHere(`${place} needs dtype, shape and data_offsets`);
  if (offsets.length !== 2)
    return scanner.failHere(`${place} has ${offsets.length} data_offsets, where begin and end are needed`);
  return { dtype, shape, offsets: [offsets[0], offsets[1]] };
}

function readDtype(scanner: HeaderScanner, place: string): Dtype {
  const dtype = scanner.string();
  if (!Object.hasOwn(ELEMENT_BYTES, dtype))
    scanner.failHere(
      `${place} has the unknown dtype ${quote(dtype)}; known are ${Object.keys(ELEMENT_BYTES).join(', ')}`,
    );
  return dtype as Dtype;
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

/** Reads the part of JSON that a header consists of: objects, strings, and lists of counts. */
class HeaderScanner {
  private position = 0;

  constructor(
    private readonly text: string,
    private readonly fail: Fail,
  ) {}

  /** Reads an object; `readValue` must consume the value of each key. */
  object(what: string, readValue: (key: string) => void): void {
    const keys = new Set<string>();
    this.list('{', '}', () => {
      const key = this.string();
      if (keys.has(key)) this.failHere(`${what} has the key ${quote(key)} twice`);
      keys.add(key);
      this.expect(':');
      readValue(key);
    });
  }

  /** Reads a list of integers from 0 to 2^53 - 1. */
  counts(what: string): number[] {
    const values: number[] = [];
    this.list('[', ']', () => {
      if (values.push(this.count(what)) > MOST_DIMENSIONS)
        this.failHere(`${what} has more than ${MOST_DIMENSIONS} numbers`);
    });
    return values;
  }

  string(): string {
    this.skipBlanks();
    const start = this.position;
    if (this.text[start] !== '"') this.failHere('a string was expected');
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    try {
      // JSON.parse on the one literal knows all escapes, and refuses what is none.
      const value: unknown = JSON.parse(this.text.slice(start, end + 1));
      this.position = end + 1;
      return value as string;
    } catch {
      return this.failHere('a string is broken');
    }
  }

  end(): void {
    this.skipBlanks();
    if (this.position < this.text.length) this.failHere('the header goes on after its object');
  }

  failHere(problem: string): never {
    const offset = LENGTH_BYTES + new TextEncoder().encode(this.text.slice(0, this.position)).length;
    return this.fail(`${problem} (byte ${offset})`);
  }

  private list(open: string, close: string, readItem: () => void): void {
    this.expect(open);
    if (this.take(close)) return;
    do readItem();
    while (this.take(','));
    this.expect(close);
  }

  private count(what: string): number {
    this.skipBlanks();
    let end = this.position;
    while (end < this.text.length && '+-.0123456789eE'.includes(this.text[end])) end++;
    const literal = this.text.slice(this.position, end);
    const value = Number(literal);
    if (!/^(0|[1-9]\d{0,15})$/.test(literal) || !isCount(value))
      this.failHere(`${what}: ${quote(literal || this.text.charAt(end))} is not an integer from 0 to 2^53 - 1`);
    this.position = end;
    return value;
  }

  private expect(character: string): void {
    if (!this.take(character)) this.failHere(`${character} was expected`);
  }

  private take(character: string): boolean {
    this.skipBlanks();
    if (this.text[this.position] !== character) return false;
    this.position++;
    return true;
  }

  private skipBlanks(): void {
    while (this.position < this.text.length && ' \t\n\r'.includes(this.text[this.position])) this.position++;
  }
}

/** The bytes that a tensor takes, or null where their number is not exact any more. */
function byteSize(dtype: Dtype, shape: readonly number[]): number | null {
  let size: number = ELEMENT_BYTES[dtype];
  for (const dimension of shape) {
    size *= dimension;
    if (!Number.isSafeInteger(size)) return null;
  }
  return size;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** By UTF-16 code units: an order that no locale changes. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function describeShape(shape: readonly number[]): string {
  return shape.length > 8 ? `of ${shape.length} dimensions` : `[${shape.join(', ')}]`;
}
