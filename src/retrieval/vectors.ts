/** Checks that all of retrieval makes of its rows of numbers. */
import { BoundedError } from '../formats/untrusted.ts';

/** Embeddings, labels or codes that cannot be ranked or measured. */
export class RetrievalError extends BoundedError {
  override readonly name = 'RetrievalError';
}

/**
 * The Euclidean length of each row.
 * @param rows [n, dimension]
 * @returns [n]
 * @throws RetrievalError where a value is not finite, or the values do not make whole rows
 */
export function rowNorms(what: string, rows: Float32Array, dimension: number): Float64Array {
  requireCount('the dimension', dimension);
  if (rows.length % dimension !== 0)
    throw new RetrievalError(
      `the ${what} embeddings have ${rows.length} values, which is no multiple of the dimension ${dimension}`,
    );
  const norms = new Float64Array(rows.length / dimension);
  for (let row = 0; row < norms.length; row++) {
    let sum = 0;
    for (let i = row * dimension; i < (row + 1) * dimension; i++) sum += rows[i] * rows[i];
    // One value that is not finite would leave a ranking that means nothing, and looks like one.
    if (!Number.isFinite(sum)) throw new RetrievalError(`the ${what} embedding ${row} has a value that is not finite`);
    norms[row] = Math.sqrt(sum);
  }
  return norms;
}

/** @throws RetrievalError where there is not one label a row */
export function requireLabels(what: string, labels: ArrayLike<number>, rows: number): void {
  if (labels.length !== rows)
    throw new RetrievalError(`there are ${rows} ${what} embeddings and ${labels.length} ${what} labels`);
}

/** @throws RetrievalError where the value is no integer above 0 */
export function requireCount(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RetrievalError(`${what} must be an integer above 0, and is ${value}`);
}
