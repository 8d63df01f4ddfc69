import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { Matrix, SVD } from 'ml-matrix';
import {
  codeWords,
  differingBits,
  encode,
  fitBinaryCoder,
  hammingRows,
  iterativeQuantization,
} from '../../src/retrieval/binary-codes.ts';
import { evaluateCodes, evaluateRetrieval, rankCodes } from '../../src/retrieval/evaluate.ts';
import { RetrievalError } from '../../src/retrieval/vectors.ts';
import { RandomStream } from '../../src/random/philox.ts';

const random = new RandomStream(3, 0);
/** Clusters, stretched differently along each axis. */
function clusters(count: number, dimension: number, classes: number): { rows: Float32Array; labels: number[] } {
  const centres = Array.from({ length: classes * dimension }, () => random.normal());
  const labels = Array.from({ length: count }, (_, row) => row % classes);
  const rows = Float32Array.from(
    { length: count * dimension },
    (_, at) =>
      centres[labels[Math.floor(at / dimension)] * dimension + (at % dimension)] +
      (0.3 + 0.1 * (at % dimension)) * random.normal(),
  );
  return { rows, labels };
}
const maximum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => Math.max(a, b), -Infinity);

test('ITQ: the objective never rises, and falls from that of a random rotation', () => {
  for (const [dimension, bits] of [
    [40, 32],
    [17, 7],
    [5, 1],
  ]) {
    const { objective } = fitBinaryCoder(clusters(400, dimension, 6).rows, dimension, { bits, iterations: 50 });
    assert.is(objective.length, 51);
    for (let i = 1; i < objective.length; i++)
      assert.ok(
        objective[i] <= objective[i - 1] * (1 + 1e-12),
        `iteration ${i}: ${objective[i]} after ${objective[i - 1]}`,
      );
    if (bits > 1) assert.ok(objective[50] < objective[0]);
  }
});

test('ITQ: every rotation is orthogonal, and R = W U^T is the best one for its signs', () => {
  const bits = 6;
  const values = Float64Array.from({ length: 90 * bits }, () => random.normal());
  const orthogonal = (): Matrix =>
    new SVD(
      Matrix.from1DArray(
        bits,
        bits,
        Array.from({ length: bits * bits }, () => random.normal()),
      ),
    ).leftSingularVectors;
  const start = orthogonal();
  const { rotation } = iterativeQuantization(values, start, 1);
  const unity = rotation.transpose().mmul(rotation);
  assert.ok(maximum(unity.sub(Matrix.eye(bits)).to1DArray().map(Math.abs)) < 1e-12);
  // By the formula alone: with the signs of the start, no other rotation comes closer, its transpose least of all.
  const projected = Matrix.from1DArray(90, bits, values);
  const rotated = projected.mmul(start);
  const signs = Matrix.from1DArray(
    90,
    bits,
    rotated.to1DArray().map((value) => (value < 0 ? -1 : 1)),
  );
  const distance = (r: Matrix): number => Matrix.sub(signs, projected.mmul(r)).norm('frobenius');
  const best = distance(rotation);
  for (const other of [start, rotation.transpose(), ...Array.from({ length: 50 }, orthogonal)])
    assert.ok(best <= distance(other) + 1e-12);
  assert.ok(best < distance(rotation.transpose()), 'U W^T, as several ports have it, is another matrix');
});

test('the coder: principal components of centred rows of length 1, then the rotation', () => {
  const dimension = 9;
  const bits = 4;
  const { rows } = clusters(200, dimension, 5);
  const { coder } = fitBinaryCoder(rows, dimension, { bits });
  const projection = Matrix.from1DArray(dimension, bits, [...coder.projection]);
  assert.ok(
    maximum(projection.transpose().mmul(projection).sub(Matrix.eye(bits)).to1DArray().map(Math.abs)) < 1e-6,
    'orthonormal columns',
  );
  // The plane they span is that of the first right singular vectors of the centred rows.
  const unit = Matrix.from1DArray(200, dimension, [...rows]);
  for (let i = 0; i < 200; i++) unit.setRow(i, unit.getRowVector(i).div(unit.getRowVector(i).norm('frobenius')));
  const mean = unit.mean('column');
  assert.ok(maximum(mean.map((value, i) => Math.abs(value - coder.mean[i]))) < 1e-7);
  const right = new SVD(unit.subRowVector(mean)).rightSingularVectors.subMatrix(0, dimension - 1, 0, bits - 1);
  const spanned = projection.mmul(projection.transpose()).sub(right.mmul(right.transpose()));
  assert.ok(maximum(spanned.to1DArray().map(Math.abs)) < 1e-6);
});

test('codes: each bit is the side of its plane, packed from the lowest bit, whatever the length of the row', () => {
  const dimension = 50;
  const bits = 37;
  const { rows } = clusters(120, dimension, 5);
  const { coder } = fitBinaryCoder(rows, dimension, { bits });
  const codes = encode(coder, rows);
  assert.is(codes.length, 120 * codeWords(bits));
  for (let row = 0; row < 120; row++) {
    const values = [...rows.subarray(row * dimension, (row + 1) * dimension)];
    const norm = Math.hypot(...values);
    for (let j = 0; j < 64; j++) {
      const side = values.reduce(
        (sum, value, i) => sum + (value / norm - coder.mean[i]) * coder.projection[i * bits + j],
        0,
      );
      assert.is((codes[2 * row + (j >> 5)] >>> (j & 31)) & 1, j < bits && side >= 0 ? 1 : 0);
    }
  }
  assert.equal(
    encode(
      coder,
      rows.map((value) => value * 8),
    ),
    codes,
  );
});

test('the same seed gives the same coder, another seed another one', () => {
  const { rows } = clusters(100, 8, 4);
  const fit = (seed: number): Float32Array =>
    fitBinaryCoder(rows, 8, { bits: 8, iterations: 5, seed }).coder.projection;
  assert.equal(fit(1), fit(1));
  assert.not.equal(fit(1), fit(2));
});

test('differing bits', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), (a, b) => {
      const plain = Array.from({ length: 32 }, (_, i) => ((a ^ b) >>> i) & 1).reduce((x, y) => x + y, 0);
      assert.is(differingBits(a, b), plain);
    }),
  );
  assert.is(differingBits(0xffffffff, 0), 32);
});

test('Hamming ranking and its metrics agree with brute force, ties by gallery index', () => {
  const cases = fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 30 }))
    .chain(([words, queries, n]) => {
      // Few bits are set, so that many distances are equal.
      const codes = (count: number): fc.Arbitrary<Uint32Array> =>
        fc
          .array(fc.constantFrom(0, 1, 3, 0x80000000, 0xffffffff), {
            minLength: count * words,
            maxLength: count * words,
          })
          .map((values) => Uint32Array.from(values));
      const labels = (count: number): fc.Arbitrary<number[]> =>
        fc.array(fc.integer({ min: 0, max: 2 }), { minLength: count, maxLength: count });
      const excluded = fc.array(fc.integer({ min: -1, max: n - 1 }), { minLength: queries, maxLength: queries });
      return fc.record({
        words: fc.constant(words),
        queries: codes(queries),
        gallery: codes(n),
        queryLabels: labels(queries),
        galleryLabels: labels(n),
        excluded,
        k: fc.integer({ min: 1, max: 35 }),
      });
    });
  fc.assert(
    fc.property(cases, ({ k, ...input }) => {
      const { words, queries, gallery, queryLabels, galleryLabels, excluded } = input;
      const precisions: number[] = [];
      queryLabels.forEach((label, q) => {
        const distance = (item: number): number => {
          let bits = 0;
          for (let w = 0; w < words; w++)
            for (let b = 0; b < 32; b++) bits += ((queries[q * words + w] ^ gallery[item * words + w]) >>> b) & 1;
          return bits;
        };
        const order = galleryLabels
          .map((_, item) => item)
          .filter((item) => item !== excluded[q])
          .sort((a, b) => distance(a) - distance(b) || a - b);
        if (!order.some((item) => galleryLabels[item] === label)) return;
        const shown = order.slice(0, k);
        precisions.push(shown.filter((item) => galleryLabels[item] === label).length / shown.length);
        if (excluded[q] < 0)
          assert.equal(
            rankCodes(queries.slice(q * words, (q + 1) * words), gallery, k),
            shown.map((index) => ({ index, score: 0 - distance(index) })),
          );
      });
      if (precisions.length === 0) return assert.throws(() => evaluateCodes(input), /none of the/);
      const metrics = evaluateCodes({ ...input, cutoffs: [k] });
      assert.is(metrics.queries, precisions.length);
      assert.ok(
        Math.abs(metrics.atCutoff[0].precision - precisions.reduce((a, b) => a + b) / precisions.length) < 1e-12,
      );
    }),
    { numRuns: 300 },
  );
});

test('metrics by distance are those by minus the distance as a score', () => {
  const { rows, labels } = clusters(150, 12, 5);
  const { coder } = fitBinaryCoder(rows, 12, { bits: 12 });
  const codes = encode(coder, rows);
  // The cosine of corners of a cube falls with their Hamming distance.
  const corners = Float32Array.from({ length: 150 * 12 }, (_, at) =>
    (codes[Math.floor(at / 12)] >>> (at % 12)) & 1 ? 1 : -1,
  );
  const protocol = {
    cutoffs: [1, 20, 500],
    queryLabels: labels,
    galleryLabels: labels,
    excluded: labels.map((_, i) => i),
  };
  assert.equal(
    evaluateCodes({ queries: codes, gallery: codes, words: 1, ...protocol }),
    evaluateRetrieval({ queries: corners, gallery: corners, dimension: 12, ...protocol }),
  );
});

test('what cannot be fitted or compared is refused', () => {
  const refused = (work: () => unknown, message: RegExp): void =>
    assert.throws(work, (error: Error) => error instanceof RetrievalError && message.test(error.message));
  refused(
    () => fitBinaryCoder(new Float32Array(80), 8, { bits: 9 }),
    /9 bits need embeddings of as many values at least, and these have 8/,
  );
  refused(
    () => fitBinaryCoder(new Float32Array(24), 8, { bits: 4 }),
    /as many embeddings at least to be fitted on, and there are 3/,
  );
  refused(
    () => fitBinaryCoder(new Float32Array(80).fill(NaN), 8, { bits: 4 }),
    /embedding 0 has a value that is not finite/,
  );
  refused(() => [...hammingRows(new Uint32Array(3), new Uint32Array(4), 2)], /3 words are no codes of 2 words each/);
  refused(
    () =>
      evaluateCodes({
        queries: new Uint32Array(2),
        gallery: new Uint32Array(4),
        words: 2,
        queryLabels: [0],
        galleryLabels: [0],
      }),
    /2 gallery embeddings and 1 gallery labels/,
  );
});

test.run();
