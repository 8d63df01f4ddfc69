/**
 * The rotation of vectors before they are rounded to few steps: by signs and a Walsh-Hadamard transform (Ailon and
 * Chazelle, STOC 2006), which spreads a vector evenly over its values. Networks put much of a vector into a few of them,
 * and the others would get few of the steps.
 */
import { RandomStream, STREAM } from '../random/philox.ts';
import { requireCount } from './vectors.ts';

/** Of the signs; part of the file format of indexes of icons. */
const SIGN_SEED = 1;

/**
 * The rotation of vectors of a dimension, which keeps their lengths: in blocks as long as the largest power of 2 that
 * divides it.
 * @returns gives the rotated values, [dimension], in an array that the next call overwrites
 */
export function rotation(dimension: number): (vector: ArrayLike<number>) => Float64Array {
  const { signs, block } = signsOf(dimension);
  const values = new Float64Array(dimension);
  return (vector) => {
    for (let i = 0; i < dimension; i++) values[i] = signs[i] * vector[i];
    transform(values, block);
    return values;
  };
}

/** Undoes the rotation of a vector. @returns [dimension] */
export function rotateBack(rotated: ArrayLike<number>): Float64Array {
  const { signs, block } = signsOf(rotated.length);
  const values = Float64Array.from(rotated);
  // The transform is its own inverse but for a factor, which the signs have.
  transform(values, block);
  return values.map((value, i) => signs[i] * value);
}

function signsOf(dimension: number): { readonly signs: Float64Array; readonly block: number } {
  requireCount('the dimension', dimension);
  const random = new RandomStream(SIGN_SEED, STREAM.initialisation);
  const block = dimension & -dimension;
  // Each step of the transform makes a vector longer by the square root of 2.
  const scale = 1 / Math.sqrt(block);
  return { signs: Float64Array.from({ length: dimension }, () => (random.uniform() < 0.5 ? -scale : scale)), block };
}

/** The Walsh-Hadamard transform of each block, in place. */
function transform(values: Float64Array, block: number): void {
  for (let half = 1; half < block; half *= 2) {
    for (let first = 0; first < values.length; first += 2 * half) {
      for (let i = first; i < first + half; i++) {
        const [sum, difference] = [values[i] + values[i + half], values[i] - values[i + half]];
        values[i] = sum;
        values[i + half] = difference;
      }
    }
  }
}
