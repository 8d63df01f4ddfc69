// The whitened embedding layer: its inner products against the metric's formula, worked out another way.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inverse, Matrix } from 'ml-matrix';
import { RandomStream, STREAM } from '../../src/random/philox.ts';
import { RetrievalError } from '../../src/retrieval/vectors.ts';
import { whitenEmbedding, type EmbeddingLayer } from '../../src/retrieval/whitening.ts';

const random = new RandomStream(5, STREAM.initialisation);
const normals = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal());
/** x^T A y */
const form = (x: readonly number[], a: Matrix, y: readonly number[]): number =>
  Matrix.rowVector([...x])
    .mmul(a)
    .mmul(Matrix.columnVector([...y]))
    .get(0, 0);
const embed = ({ weight, bias }: EmbeddingLayer, x: readonly number[]): number[] =>
  Array.from(bias, (offset, row) => x.reduce((sum, value, i) => sum + weight[row * x.length + i] * value, offset));

/** Rows of classes around means of their own, with unequal spread. */
function sample(
  width: number,
  classes: number,
  each: number,
): { rows: number[][]; features: Float32Array; labels: number[] } {
  const rows: number[][] = [];
  const labels: number[] = [];
  for (let label = 0; label < classes; label++) {
    const mean = normals(width);
    for (let image = 0; image < each; image++) {
      rows.push(Array.from(normals(width), (value, i) => Math.fround(2 * mean[i] + 1 + (value * (i + 1)) / width)));
      labels.push(label);
    }
  }
  return { rows, features: Float32Array.from(rows.flat()), labels };
}

test('inner products are those of the metric, where no component is dropped', () => {
  const width = 5;
  const { rows, features, labels } = sample(width, 7, 3);
  const trained = { weight: normals(width * width), bias: normals(width) };
  const [shrinkage, trainedShare] = [0.4, 0.7];
  const layer = whitenEmbedding(trained, features, labels, { shrinkage, trainedShare });

  // By products of matrices, and with an inverse by elimination.
  const x = new Matrix(rows);
  const mean = x.mean('column');
  const centred = x.clone().subRowVector(mean);
  const total = centred.transpose().mmul(centred).div(rows.length);
  const ofClass = new Matrix(
    rows.map((row, index) =>
      row.map(
        (value, i) =>
          value - rows.filter((_, other) => labels[other] === labels[index]).reduce((sum, o) => sum + o[i] / 3, 0),
      ),
    ),
  );
  const within = ofClass.transpose().mmul(ofClass).div(rows.length);
  const whitened = inverse(Matrix.add(Matrix.mul(within, width / within.trace()), Matrix.eye(width).mul(shrinkage)));
  const e = Matrix.from1DArray(width, width, Array.from(trained.weight));
  const learned = e.transpose().mmul(e);
  const meanOf = (a: Matrix): number => a.mmul(total).trace();
  const metric = Matrix.add(
    Matrix.mul(learned, trainedShare / meanOf(learned)),
    Matrix.mul(whitened, (1 - trainedShare) / meanOf(whitened)),
  );

  for (const [a, b] of [
    [0, 0],
    [0, 1],
    [4, 20],
  ]) {
    const [left, right] = [a, b].map((row) => rows[row].map((value, i) => value - mean[i]));
    const expected = form(left, metric, right);
    const [p, q] = [embed(layer, rows[a]), embed(layer, rows[b])];
    const found = p.reduce((sum, value, i) => sum + value * q[i], 0);
    const size = Math.sqrt(form(left, metric, left) * form(right, metric, right));
    // The layer's weights are rounded to float32, and so is each of its sums of `width` products at most.
    assert.ok(Math.abs(found - expected) < 8 * width * 2 ** -24 * (size + 10), `${found}, not ${expected}`);
  }
});

test('with the whole share, cosines are those of the trained layer on centred features', () => {
  const [width, embedding] = [6, 3];
  const { rows, features, labels } = sample(width, 5, 4);
  const trained = { weight: normals(embedding * width), bias: normals(embedding) };
  const layer = whitenEmbedding(trained, features, labels, { shrinkage: 1, trainedShare: 1 });
  assert.is(layer.bias.length, embedding);
  const mean = new Matrix(rows).mean('column');
  const cosine = (p: number[], q: number[]): number =>
    p.reduce((sum, value, i) => sum + value * q[i], 0) / (Math.hypot(...p) * Math.hypot(...q));
  const centred = { weight: trained.weight, bias: new Float32Array(embedding) };
  for (const [a, b] of [
    [0, 1],
    [3, 17],
    [8, 9],
  ]) {
    const expected = cosine(
      ...([a, b].map((row) =>
        embed(
          centred,
          rows[row].map((value, i) => value - mean[i]),
        ),
      ) as [number[], number[]]),
    );
    const found = cosine(embed(layer, rows[a]), embed(layer, rows[b]));
    assert.ok(Math.abs(found - expected) < 64 * width * 2 ** -24, `${found}, not ${expected}`);
  }
});

test('a direction in which a class varies counts less', () => {
  const { features, labels, rows } = sample(4, 40, 6);
  const trained = { weight: Float32Array.from([1, 0, 0, 0, 0, 0, 0, 1]), bias: new Float32Array(2) };
  const strength = (axis: number): number => {
    const layer = whitenEmbedding(trained, features, labels, { shrinkage: 0.01, trainedShare: 0 });
    return Math.hypot(...layer.bias.map((_, row) => layer.weight[row * rows[0].length + axis]));
  };
  // `sample` spreads the last feature of a class four times as far as the first.
  assert.ok(strength(0) > strength(3));
});

test('what cannot be whitened is refused, and why', () => {
  const { features, labels } = sample(4, 3, 2);
  const trained = { weight: normals(8), bias: normals(2) };
  const refuses = (pattern: RegExp, ...[layer, rows, of, settings]: Parameters<typeof whitenEmbedding>): void =>
    void assert.throws(
      () => whitenEmbedding(layer, rows, of, settings),
      (error: unknown) => error instanceof RetrievalError && pattern.test(error.message),
    );
  refuses(/no class has two images/, trained, features, [0, 1, 2, 3, 4, 5]);
  refuses(/6 image embeddings and 5 image labels/, trained, features, labels.slice(1));
  refuses(
    /not finite/,
    trained,
    features.map((value, i) => (i === 3 ? NaN : value)),
    labels,
  );
  refuses(/as many features at least/, { weight: normals(6), bias: normals(4) }, features, labels);
  refuses(/shrinkage 0/, trained, features, labels, { shrinkage: 0, trainedShare: 0.5 });
  refuses(/from 0 to 1/, trained, features, labels, { shrinkage: 1, trainedShare: 1.5 });
});

test.run();
