/**
 * Learned whitening of a trained network's embedding (Mikolajczyk and Matas, ICCV 2007; Radenović, Tolias and Chum, TPAMI
 * 2019, section 4.2): directions in which images of one class differ among themselves count less. The embedding is the
 * last layer and the one that fits the trained classes most; its input, the features, keeps more of what tells classes
 * apart that were never trained on. The result is again one linear layer, so a search costs what it cost before.
 */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { requireCount, requireLabels, RetrievalError, rowNorms } from './vectors.ts';

/** A linear layer from features to embeddings. An embedding is a row of length 1. */
export interface EmbeddingLayer {
  /** [embedding, features] */
  readonly weight: Float32Array;
  /** [embedding] */
  readonly bias: Float32Array;
}

/** How much of an embedding is whitened. */
export interface WhiteningSettings {
  /**
   * What is added to each variance within classes, as a share of their mean: 0 whitens fully, and a large value leaves
   * the features as they are.
   */
  readonly shrinkage: number;
  /** The trained layer's share of a similarity, 0 to 1; the whitened features have the rest. */
  readonly trainedShare: number;
}

/** Chosen on classes set aside (docs/model-card.md). */
export const WHITENING: WhiteningSettings = { shrinkage: 0.3, trainedShare: 0.5 };

/**
 * The layer whose inner products are those of the metric K = s E^T E / t1 + (1 - s) (W + r I)^-1 / t2 of centred
 * features: E is the trained layer, s its share, W the covariance within classes divided by its mean variance, r the
 * shrinkage, and t1 and t2 give both parts the same mean. Of K the principal components are kept, as many as the trained
 * layer has.
 * @param features of images of the trained classes, [n, width]
 * @param labels class of each image, [n]
 * @throws RetrievalError where no class has two images, a value is not finite, or shapes do not agree
 */
export function whitenEmbedding(
  trained: EmbeddingLayer,
  features: Float32Array,
  labels: ArrayLike<number>,
  { shrinkage, trainedShare }: WhiteningSettings = WHITENING,
): EmbeddingLayer {
  const embedding = trained.bias.length;
  requireCount('the number of components', embedding);
  const width = trained.weight.length / embedding;
  if (!Number.isInteger(width) || width < embedding)
    throw new RetrievalError(
      `an embedding of ${embedding} components needs a weight [${embedding}, features] with as many features at least; this one has ${trained.weight.length} values`,
    );
  if (!(shrinkage > 0) || !(trainedShare >= 0 && trainedShare <= 1))
    throw new RetrievalError(
      `shrinkage ${shrinkage}, share ${trainedShare}: the first is above 0, the second from 0 to 1`,
    );
  requireLabels('image', labels, rowNorms('image', features, width).length);
  const { mean, total, within } = scatter(features, width, labels);

  const layer = Matrix.from1DArray(embedding, width, Array.from(trained.weight));
  const learned = layer.transpose().mmul(layer);
  const whitened = inverse(within.mul(width / within.trace()), shrinkage);
  const metric = learned
    .mul(trainedShare / innerProduct(learned, total))
    .add(whitened.mul((1 - trainedShare) / innerProduct(whitened, total)));

  // K = F F^T with F symmetric; the components of F^T x that vary most are kept.
  const root = symmetricFunction(metric, (value) => Math.sqrt(Math.max(0, value)));
  const { vectors } = eigen(root.mmul(total).mmul(root));
  const weight = vectors
    .subMatrix(0, width - 1, 0, embedding - 1)
    .transpose()
    .mmul(root);
  const bias = weight.mmul(Matrix.columnVector(Array.from(mean))).mul(-1);
  return { weight: Float32Array.from(weight.to1DArray()), bias: Float32Array.from(bias.to1DArray()) };
}

/** Mean of all rows, their covariance, and the covariance within the classes that have two rows or more. */
function scatter(
  features: Float32Array,
  width: number,
  labels: ArrayLike<number>,
): { readonly mean: Float64Array; readonly total: Matrix; readonly within: Matrix } {
  const rows = Array.from({ length: labels.length }, (_, row) => features.subarray(row * width, (row + 1) * width));
  const classes = new Map<number, Float32Array[]>();
  rows.forEach((row, index) => {
    const members = classes.get(labels[index]);
    if (members === undefined) classes.set(labels[index], [row]);
    else members.push(row);
  });
  const several = [...classes.values()].filter((members) => members.length > 1);
  if (several.length === 0)
    throw new RetrievalError('no class has two images: what varies within a class cannot be found');
  const mean = meanOf(rows, width);
  return {
    mean,
    total: covariance([{ rows, mean }], width),
    within: covariance(
      several.map((members) => ({ rows: members, mean: meanOf(members, width) })),
      width,
    ),
  };
}

function meanOf(rows: readonly Float32Array[], width: number): Float64Array {
  const mean = new Float64Array(width);
  for (const row of rows) for (let i = 0; i < width; i++) mean[i] += row[i] / rows.length;
  return mean;
}

/** Of rows around the mean of their group, divided by the number of rows. */
function covariance(
  groups: readonly { readonly rows: readonly Float32Array[]; readonly mean: Float64Array }[],
  width: number,
): Matrix {
  const sums = new Float64Array(width * width);
  const centred = new Float64Array(width);
  let count = 0;
  for (const { rows, mean } of groups) {
    count += rows.length;
    for (const row of rows) {
      for (let i = 0; i < width; i++) centred[i] = row[i] - mean[i];
      for (let i = 0; i < width; i++)
        for (let j = i, at = i * width + i; j < width; j++, at++) sums[at] += centred[i] * centred[j];
    }
  }
  const result = new Matrix(width, width);
  for (let i = 0; i < width; i++)
    for (let j = i; j < width; j++)
      result.set(i, j, sums[i * width + j] / count).set(j, i, sums[i * width + j] / count);
  return result;
}

/** Eigenvectors of a symmetric matrix in columns, those of the largest eigenvalues first. */
function eigen(symmetric: Matrix): { readonly values: readonly number[]; readonly vectors: Matrix } {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, index) => index).sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);
  return {
    values: order.map((index) => realEigenvalues[index]),
    vectors: eigenvectorMatrix.subMatrixColumn(order),
  };
}

/** V f(D) V^T of a symmetric matrix V D V^T. */
function symmetricFunction(symmetric: Matrix, f: (eigenvalue: number) => number): Matrix {
  const { values, vectors } = eigen(symmetric);
  return vectors.clone().mulRowVector(values.map(f)).mmul(vectors.transpose());
}

/** (A + r I)^-1 of a covariance. */
const inverse = (covarianceMatrix: Matrix, r: number): Matrix =>
  symmetricFunction(covarianceMatrix, (value) => 1 / (Math.max(0, value) + r));

/** tr(A B) of symmetric matrices: the mean of x^T A x where B is the covariance of x. */
const innerProduct = (a: Matrix, b: Matrix): number => Matrix.mul(a, b).sum();
