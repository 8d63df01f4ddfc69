import { RetrievalError, rowNorms } from './vectors.ts';

/** Sketches that search together at most, on pages and servers. */
export const MOST_SKETCHES = 8;

/**
 * One query out of several sketches of the same thing: the mean of their embeddings, each of length 1, which then is
 * brought to length 1 again. Its cosine with a picture is in proportion to the mean of the sketches' own cosines with
 * it, so that a ranking by it is the ranking by that mean.
 * @param rows [sketches, dimension], of length 1
 * @returns [dimension], of length 1; of one sketch, its own numbers
 * @throws RetrievalError where there is no sketch, a value is not finite, or the embeddings cancel out
 */
export function meanEmbedding(rows: Float32Array, dimension: number): Float32Array {
  const norms = rowNorms('query', rows, dimension);
  if (norms.length === 0) throw new RetrievalError('there is no query embedding to take the mean of');
  if (norms.length === 1) return rows;
  const sum = new Float64Array(dimension);
  for (let row = 0; row < norms.length; row++) {
    for (let i = 0; i < dimension; i++) sum[i] += rows[row * dimension + i] / norms[row];
  }
  const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
  // Also NaN, of an embedding that is zero.
  if (!(length > 1e-6 * norms.length))
    throw new RetrievalError(
      `the ${norms.length} query embeddings cancel out, so they have no mean direction; search with fewer sketches at once`,
    );
  return Float32Array.from(sum, (value) => value / length);
}
