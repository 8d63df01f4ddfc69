/**
 * Binary codes by iterative quantisation (ITQ; Gong and Lazebnik, CVPR 2011): a principal component analysis to as many
 * dimensions as there are bits, then the rotation of these that brings them closest to the corners of a cube. A code is
 * the corner; codes are compared by Hamming distance.
 *
 * With the projected, centred rows V [n, bits], rotation R [bits, bits] and B = sign(V R), what falls is
 *
 *     Q(B, R) = ||B - V R||^2 = ||B||^2 + ||V||^2 - 2 trace(R^T V^T B).
 *
 * For a fixed R each element of B is best where it has the sign of V R's. For a fixed B the trace is trace((B^T V) R);
 * with the singular value decomposition B^T V = U S W^T it is trace(S W^T R U), and as W^T R U is orthogonal, it is
 * greatest where that is the identity: R = W U^T. Neither step can raise Q.
 */

import { EigenvalueDecomposition, Matrix, SVD } from 'ml-matrix';
import { RandomStream, STREAM } from '../random/philox.ts';
import { HIDDEN } from './ranking.ts';
import { requireCount, RetrievalError, rowNorms } from './vectors.ts';

/** From embeddings to codes: bit j of x is whether (x / |x| - mean) . projection[:, j] is at least 0. */
export interface BinaryCoder {
  readonly bits: number;
  readonly dimension: number;
  /** [dimension]. */
  readonly mean: Float32Array;
  /** Principal components times rotation, [dimension, bits]. */
  readonly projection: Float32Array;
}

/** A coder, and how the fit went. */
export interface FittedCoder {
  readonly coder: BinaryCoder;
  /** Q divided by n and bits: before each new rotation, and after the last. */
  readonly objective: readonly number[];
}

/** How binary codes are fitted. */
export interface FitOptions {
  readonly bits?: number;
  readonly iterations?: number;
  /** Of the first rotation; u32. */
  readonly seed?: number;
}

const NEAR_ROWS = 64;

/** 32-bit words of a code. */
export const codeWords = (bits: number): number => Math.ceil(bits / 32);

/**
 * Fits a coder: on photos of seen classes, so that it knows nothing of what will be searched; or on the gallery itself.
 * @param embeddings [n, dimension]; their lengths do not matter
 * @throws RetrievalError where there are fewer dimensions or rows than bits, or a value is not finite
 */
export function fitBinaryCoder(
  embeddings: Float32Array,
  dimension: number,
  { bits = 64, iterations = 50, seed = 0 }: FitOptions = {},
): FittedCoder {
  requireCount('the number of bits', bits);
  requireCount('the number of iterations', iterations);
  if (bits > dimension)
    throw new RetrievalError(
      `${bits} bits need embeddings of as many values at least, and these have ${dimension}; ask for fewer bits`,
    );
  const rows = unitRows('embedding', embeddings, dimension);
  const count = rows.length / dimension;
  if (count < bits)
    throw new RetrievalError(
      `${bits} bits need as many embeddings at least to be fitted on, and there are ${count}; ask for fewer bits or give more images`,
    );

  const mean = centre(rows, dimension);
  const components = principalComponents(rows, dimension, bits);
  const projected = product(rows, components, dimension, bits);
  const { rotation, objective } = iterativeQuantization(projected, randomRotation(bits, seed), iterations);
  const projection = product(components, Float64Array.from(rotation.to1DArray()), bits, bits);
  return {
    coder: { bits, dimension, mean: Float32Array.from(mean), projection: Float32Array.from(projection) },
    objective,
  };
}

/**
 * Rotations, alternating with changes of signs.
 * @param projected V, [n, bits]
 * @param start an orthogonal matrix
 */
export function iterativeQuantization(
  projected: Float64Array,
  start: Matrix,
  iterations: number,
): { readonly rotation: Matrix; readonly objective: readonly number[] } {
  let rotation = start;
  const objective: number[] = [];
  for (let iteration = 0; iteration < iterations; iteration++) {
    const { correlation, error } = quantize(projected, rotation);
    objective.push(error);
    const { leftSingularVectors: u, rightSingularVectors: w } = new SVD(correlation);
    rotation = w.mmul(u.transpose());
  }
  objective.push(quantize(projected, rotation).error);
  return { rotation, objective };
}

/** B^T V, and Q divided by the number of elements. */
function quantize(projected: Float64Array, rotation: Matrix): { readonly correlation: Matrix; readonly error: number } {
  const bits = rotation.rows;
  const elements = Float64Array.from(rotation.to1DArray());
  const sums = new Float64Array(bits * bits);
  const rotated = new Float64Array(bits);
  let error = 0;
  for (let row = 0; row < projected.length; row += bits) {
    rotated.fill(0);
    for (let i = 0; i < bits; i++) {
      const value = projected[row + i];
      for (let j = 0, at = i * bits; j < bits; j++, at++) rotated[j] += value * elements[at];
    }
    for (let j = 0; j < bits; j++) {
      const sign = rotated[j] < 0 ? -1 : 1;
      error += (sign - rotated[j]) ** 2;
      for (let i = 0, at = j * bits; i < bits; i++, at++) sums[at] += sign * projected[row + i];
    }
  }
  return { correlation: Matrix.from1DArray(bits, bits, sums), error: error / projected.length };
}

/** Orthogonal, the left factor of a matrix of normal numbers. */
function randomRotation(bits: number, seed: number): Matrix {
  const random = new RandomStream(seed, STREAM.initialisation);
  const normal = Matrix.from1DArray(
    bits,
    bits,
    Array.from({ length: bits * bits }, () => random.normal()),
  );
  return new SVD(normal).leftSingularVectors;
}

/** Takes the mean row from each row, in place. */
function centre(rows: Float64Array, dimension: number): Float64Array {
  const mean = new Float64Array(dimension);
  for (let at = 0; at < rows.length; at++) mean[at % dimension] += rows[at];
  const count = rows.length / dimension;
  for (let i = 0; i < dimension; i++) mean[i] /= count;
  for (let at = 0; at < rows.length; at++) rows[at] -= mean[at % dimension];
  return mean;
}

/** Eigenvectors of the covariance of centred rows, those of the largest eigenvalues: [dimension, count]. */
function principalComponents(rows: Float64Array, dimension: number, count: number): Float64Array {
  const covariance = new Float64Array(dimension * dimension);
  // Some rows at a time: while they are near, each row of the covariance is fetched once for all of them.
  for (let first = 0; first < rows.length; first += NEAR_ROWS * dimension) {
    const end = Math.min(rows.length, first + NEAR_ROWS * dimension);
    for (let i = 0; i < dimension; i++) {
      for (let row = first; row < end; row += dimension) {
        const value = rows[row + i];
        for (let j = i, at = i * dimension + i; j < dimension; j++, at++) covariance[at] += value * rows[row + j];
      }
    }
  }
  const symmetric = new Matrix(dimension, dimension);
  for (let i = 0; i < dimension; i++)
    for (let j = i; j < dimension; j++)
      symmetric.set(i, j, covariance[i * dimension + j]).set(j, i, covariance[i * dimension + j]);
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true });
  const largest = realEigenvalues
    .map((_, index) => index)
    .sort((a, b) => realEigenvalues[b] - realEigenvalues[a] || a - b);
  const components = new Float64Array(dimension * count);
  for (let i = 0; i < dimension; i++)
    for (let j = 0; j < count; j++) components[i * count + j] = eigenvectorMatrix.get(i, largest[j]);
  return components;
}

/** [n, inner] times [inner, outer]. */
function product(left: Float64Array, right: Float64Array, inner: number, outer: number): Float64Array {
  const result = new Float64Array((left.length / inner) * outer);
  for (let row = 0, to = 0; row < left.length; row += inner, to += outer) {
    for (let i = 0; i < inner; i++) {
      const value = left[row + i];
      for (let j = 0; j < outer; j++) result[to + j] += value * right[i * outer + j];
    }
  }
  return result;
}

function unitRows(what: string, rows: Float32Array, dimension: number): Float64Array {
  const norms = rowNorms(what, rows, dimension);
  const result = new Float64Array(rows.length);
  for (let at = 0; at < rows.length; at++) result[at] = rows[at] / (norms[Math.floor(at / dimension)] || 1);
  return result;
}

/**
 * The codes of embeddings, 32 bits a word, bit j in word j >> 5 at place j & 31; what a last word has beyond is 0.
 * @param embeddings [n, dimension]; their lengths do not matter
 * @returns [n, codeWords]
 * @throws RetrievalError where they are not of the coder's dimension, or a value is not finite
 */
export function encode({ bits, dimension, mean, projection }: BinaryCoder, embeddings: Float32Array): Uint32Array {
  const norms = rowNorms('embedding', embeddings, dimension);
  const words = codeWords(bits);
  const codes = new Uint32Array(norms.length * words);
  const sums = new Float64Array(bits);
  norms.forEach((norm, row) => {
    sums.fill(0);
    for (let i = 0; i < dimension; i++) {
      const value = embeddings[row * dimension + i] / (norm || 1) - mean[i];
      for (let j = 0, at = i * bits; j < bits; j++, at++) sums[j] += value * projection[at];
    }
    for (let j = 0; j < bits; j++) if (sums[j] >= 0) codes[row * words + (j >> 5)] |= 1 << (j & 31);
  });
  return codes;
}

/** Bits in which two words differ. */
export function differingBits(a: number, b: number): number {
  // Counts in pairs, then in fours and eights; the product adds the four bytes in its uppermost.
  let word = a ^ b;
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * The Hamming distances of each query's code to every code of the gallery, query by query: rows [n] that are valid
 * until the next one is requested.
 * @param queries [queries, words]
 * @param gallery [n, words]
 * @throws RetrievalError where the codes do not make whole rows
 */
export function* hammingRows(
  queries: Uint32Array,
  gallery: Uint32Array,
  words: number,
): Generator<Uint16Array, void, undefined> {
  requireCount('the number of words', words);
  if (32 * words >= HIDDEN)
    throw new RetrievalError(`codes of ${words} words are too long: they must have fewer than ${HIDDEN} bits`);
  for (const codes of [queries, gallery])
    if (codes.length % words !== 0)
      throw new RetrievalError(`${codes.length} words are no codes of ${words} words each`);
  const distances = new Uint16Array(gallery.length / words);
  for (let query = 0; query < queries.length; query += words) {
    for (let item = 0, at = 0; item < distances.length; item++) {
      let distance = 0;
      for (let word = 0; word < words; word++, at++) distance += differingBits(queries[query + word], gallery[at]);
      distances[item] = distance;
    }
    yield distances;
  }
}
