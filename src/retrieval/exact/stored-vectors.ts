/** Vectors of a gallery as they are held in memory: 4, 2 or 1 byte a value. */
import { float16ToFloat32Bits, float32ToFloat16Bits, narrow, widen } from '../../../kernels/contract/half.ts';
import { toInt8Vectors } from '../int8-vectors.ts';
import { requireCount, RetrievalError, rowNorms } from '../vectors.ts';
import { rotateBack } from '../rotation.ts';

/**
 * f32: as they are; f16: rounded to 11 binary digits; int8: rotated and rounded to 127 steps of the largest value, which
 * loses the length.
 */
export type VectorStorage = 'f32' | 'f16' | 'int8';
/** All of them, for a choice. */
export const VECTOR_STORAGES: readonly VectorStorage[] = ['f32', 'f16', 'int8'];

/** Values of vectors, [n, dimension]: f32, bits of f16, or int8 (`toInt8Vectors`). */
export type StoredValues = Float32Array | Uint16Array | Int8Array;

/** @returns the array itself for f32 */
export function storeVectors(rows: Float32Array, dimension: number, storage: VectorStorage): StoredValues {
  if (storage === 'f16') return narrow(rows, float32ToFloat16Bits);
  return storage === 'int8' ? toInt8Vectors(rows, dimension) : rows;
}

/** The Euclidean length of each vector, [n]. @throws RetrievalError as `rowNorms` */
export function storedNorms(stored: Float32Array | Uint16Array, dimension: number): Float64Array {
  if (stored instanceof Float32Array) return rowNorms('gallery', stored, dimension);
  requireCount('the dimension', dimension);
  if (stored.length % dimension !== 0)
    throw new RetrievalError(
      `the gallery embeddings have ${stored.length} values, which is no multiple of the dimension ${dimension}`,
    );
  const vectorOf = vectorReader(stored, dimension);
  return Float64Array.from({ length: stored.length / dimension }, (_, row) => {
    const [norm] = rowNorms(`gallery (row ${row})`, vectorOf(row), dimension);
    return norm;
  });
}

let floatsOfHalves: Float32Array | undefined;

/** @returns gives a row's values, [dimension]: for f32 a view, otherwise an array that the next call overwrites */
export function vectorReader(stored: StoredValues, dimension: number): (row: number) => Float32Array {
  if (stored instanceof Float32Array) return (row) => stored.subarray(row * dimension, (row + 1) * dimension);
  const values = new Float32Array(dimension);
  if (stored instanceof Uint16Array) {
    const floats = (floatsOfHalves ??= widen(
      Uint16Array.from({ length: 2 ** 16 }, (_, i) => i),
      float16ToFloat32Bits,
    ));
    return (row) => {
      for (let i = 0, at = row * dimension; i < dimension; i++, at++) values[i] = floats[stored[at]];
      return values;
    };
  }
  return (row) => {
    const back = rotateBack(stored.subarray(row * dimension, (row + 1) * dimension));
    const length = Math.hypot(...back) || 1;
    for (let i = 0; i < dimension; i++) values[i] = back[i] / length;
    return values;
  };
}
