/**
 * Rows of one-byte integers, and their dot products with queries of 16-bit integers. WebAssembly with 128-bit vectors
 * computes them (integer-dot-products.wat), or plain JavaScript where a runtime has none; the sums are whole numbers, so
 * both give the same.
 */
import dotProducts from '../generated/integer-dot-products.ts';

/** Rows that are multiplied at once: their sums with four queries stay in a processor's first cache. */
export const ROW_BLOCK = 1024;
/** Queries of one call. */
export const QUERY_GROUP = 4;
/** Rows are padded with zeros to a multiple of it: the bytes of a vector register. */
const ALIGNMENT = 16;
const PAGE = 65536;
/** A WebAssembly memory has 4 GiB at most; a part of a gallery takes a quarter. */
export const MOST_BYTES = 2 ** 30;

export interface IntegerRows {
  readonly count: number;
  /** Values of a row with its padding. */
  readonly width: number;
  /** The bytes of a row, to be filled; zeros at first. @returns [width], valid until other rows are made */
  row(index: number): Int8Array;
  /**
   * @param queries [1 to QUERY_GROUP, width]; no sum of products may leave 32 bits
   * @param count at most ROW_BLOCK
   * @returns the sums of each query with the rows `first` to `first + count`, at the multiples of ROW_BLOCK; valid until
   * the next call
   */
  multiply(queries: Int16Array, first: number, count: number): Int32Array;
}

/** @param count of rows; their bytes, padded, are at most MOST_BYTES */
export function integerRows(count: number, dimension: number, { simd = hasSimd() } = {}): IntegerRows {
  const width = Math.ceil(dimension / ALIGNMENT) * ALIGNMENT;
  if (count * width > MOST_BYTES)
    throw new RangeError(`${count} rows of ${width} bytes are more than ${MOST_BYTES}; divide them into parts`);
  return simd ? new WasmRows(count, width) : new PlainRows(count, width);
}

let compiled: WebAssembly.Module | undefined;

/** Whether this runtime runs 128-bit vectors of WebAssembly. */
export function hasSimd(): boolean {
  try {
    compiled ??= new WebAssembly.Module(Uint8Array.from(atob(dotProducts), (character) => character.charCodeAt(0)));
    return true;
  } catch {
    return false;
  }
}

class WasmRows implements IntegerRows {
  private readonly bytes: ArrayBuffer;
  private readonly queries: Int16Array;
  private readonly sums: Int32Array;
  private readonly start: number;
  private readonly one: (query: number, rows: number, width: number, count: number, sums: number) => void;
  private readonly four: (
    query: number,
    rows: number,
    width: number,
    count: number,
    sums: number,
    stride: number,
  ) => void;

  constructor(
    readonly count: number,
    readonly width: number,
  ) {
    const sumsAt = 2 * QUERY_GROUP * width;
    this.start = sumsAt + 4 * QUERY_GROUP * ROW_BLOCK;
    const memory = new WebAssembly.Memory({ initial: Math.ceil((this.start + count * width) / PAGE) });
    this.bytes = memory.buffer;
    this.queries = new Int16Array(this.bytes, 0, QUERY_GROUP * width);
    this.sums = new Int32Array(this.bytes, sumsAt, QUERY_GROUP * ROW_BLOCK);
    const { exports } = new WebAssembly.Instance(compiled as WebAssembly.Module, { host: { memory } });
    this.one = exports.one as WasmRows['one'];
    this.four = exports.four as WasmRows['four'];
  }

  row(index: number): Int8Array {
    return new Int8Array(this.bytes, this.start + index * this.width, this.width);
  }

  multiply(queries: Int16Array, first: number, count: number): Int32Array {
    const { width, sums } = this;
    const rows = this.start + first * width;
    this.queries.set(queries);
    const group = queries.length / width;
    if (group === QUERY_GROUP) this.four(0, rows, width, count, sums.byteOffset, 4 * ROW_BLOCK);
    else
      for (let query = 0; query < group; query++)
        this.one(2 * query * width, rows, width, count, sums.byteOffset + 4 * query * ROW_BLOCK);
    return sums;
  }
}

class PlainRows implements IntegerRows {
  private readonly values: Int8Array;
  private readonly sums = new Int32Array(QUERY_GROUP * ROW_BLOCK);

  constructor(
    readonly count: number,
    readonly width: number,
  ) {
    this.values = new Int8Array(count * width);
  }

  row(index: number): Int8Array {
    return this.values.subarray(index * this.width, (index + 1) * this.width);
  }

  multiply(queries: Int16Array, first: number, count: number): Int32Array {
    const { width, values, sums } = this;
    for (let query = 0; query < queries.length / width; query++) {
      for (let row = 0, at = first * width; row < count; row++) {
        let sum = 0;
        for (let i = query * width; i < (query + 1) * width; i++, at++) sum += queries[i] * values[at];
        sums[query * ROW_BLOCK + row] = sum;
      }
    }
    return sums;
  }
}
