/**
 * Cosines on the host, for tasks that are small or have no device: each is summed in float64 and rounded to
 * float32 once, so that equal items have equal scores and the order of ties is the gallery's.
 */

import { rowNorms } from './vectors.ts';

/** Queries scored at once: each gallery element that is loaded serves this many products. */
const QUERY_BLOCK = 4;

/** What searches what, row by row. */
export interface Embeddings {
  /** Embeddings of the queries, row by row: [queries, dimension]. */
  readonly queries: Float32Array;
  /** Embeddings of the gallery: [n, dimension]. Neither need be normalised. */
  readonly gallery: Float32Array;
  readonly dimension: number;
}

/**
 * The cosines of each query with every item, query by query: rows [n] that are valid until the next one is requested.
 * A vector of length 0 has cosine 0 with all others.
 * @throws RetrievalError where sizes disagree or a value is not finite
 */
export function* cosineRows({ queries, gallery, dimension }: Embeddings): Generator<Float32Array, void, undefined> {
  const queryNorms = rowNorms('query', queries, dimension);
  const norms = rowNorms('gallery', gallery, dimension);
  const block = new Float64Array(QUERY_BLOCK * dimension);
  const rows = Array.from({ length: QUERY_BLOCK }, () => new Float32Array(norms.length));
  let first = 0;
  for (; first + QUERY_BLOCK <= queryNorms.length; first += QUERY_BLOCK) {
    block.set(queries.subarray(first * dimension, (first + QUERY_BLOCK) * dimension));
    const lengths = rows.map((_, i) => queryNorms[first + i] || 1);
    scoreBlock(block, lengths, gallery, norms, rows);
    yield* rows;
  }
  for (; first < queryNorms.length; first++) {
    const query = Float64Array.from(queries.subarray(first * dimension, (first + 1) * dimension));
    scoreOne(query, queryNorms[first] || 1, gallery, norms, rows[0]);
    yield rows[0];
  }
}

/** Four items at once: a sum waits for its last addition, and four sums do not wait for each other. */
function scoreOne(
  query: Float64Array,
  length: number,
  gallery: Float32Array,
  norms: Float64Array,
  row: Float32Array,
): void {
  const dimension = query.length;
  const fours = norms.length - (norms.length % 4);
  for (let item = 0; item < fours; item += 4) {
    const at0 = item * dimension;
    const at1 = at0 + dimension;
    const at2 = at1 + dimension;
    const at3 = at2 + dimension;
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    for (let i = 0; i < dimension; i++) {
      const value = query[i];
      sum0 += value * gallery[at0 + i];
      sum1 += value * gallery[at1 + i];
      sum2 += value * gallery[at2 + i];
      sum3 += value * gallery[at3 + i];
    }
    row[item] = sum0 / ((norms[item] || 1) * length);
    row[item + 1] = sum1 / ((norms[item + 1] || 1) * length);
    row[item + 2] = sum2 / ((norms[item + 2] || 1) * length);
    row[item + 3] = sum3 / ((norms[item + 3] || 1) * length);
  }
  for (let item = fours; item < norms.length; item++) {
    let sum = 0;
    for (let i = 0, at = item * dimension; i < dimension; i++, at++) sum += query[i] * gallery[at];
    row[item] = sum / ((norms[item] || 1) * length);
  }
}

function scoreBlock(
  block: Float64Array,
  lengths: readonly number[],
  gallery: Float32Array,
  norms: Float64Array,
  [row0, row1, row2, row3]: readonly Float32Array[],
): void {
  const dimension = block.length / QUERY_BLOCK;
  const [length0, length1, length2, length3] = lengths;
  for (let item = 0, start = 0; item < norms.length; item++, start += dimension) {
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    for (let i = 0; i < dimension; i++) {
      const value = gallery[start + i];
      sum0 += value * block[i];
      sum1 += value * block[dimension + i];
      sum2 += value * block[2 * dimension + i];
      sum3 += value * block[3 * dimension + i];
    }
    const norm = norms[item] || 1;
    row0[item] = sum0 / (norm * length0);
    row1[item] = sum1 / (norm * length1);
    row2[item] = sum2 / (norm * length2);
    row3[item] = sum3 / (norm * length3);
  }
}
