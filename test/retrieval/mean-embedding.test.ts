import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cosineRows } from '../../src/retrieval/cosine.ts';
import { meanEmbedding } from '../../src/retrieval/mean-embedding.ts';
import { RetrievalError } from '../../src/retrieval/vectors.ts';
import { uniformNumbers } from '../support/uniform-numbers.ts';

const DIMENSION = 7;
const QUERIES = 3;
/** Each of the few roundings to float32 is within 2^-24 of a component of at most 1. */
const BOUND = 2 ** -22;

/** Rows of length 1. */
function rows(count: number, seed: number): Float32Array {
  const next = uniformNumbers(seed);
  const values = Float32Array.from({ length: count * DIMENSION }, next);
  for (let row = 0; row < count; row++) {
    const own = values.subarray(row * DIMENSION, (row + 1) * DIMENSION);
    const length = Math.hypot(...own);
    own.forEach((value, i) => (own[i] = value / length));
  }
  return values;
}

test('it has length 1, and its cosines are in proportion to the mean of those of the sketches', () => {
  const queries = rows(QUERIES, 1);
  const mean = meanEmbedding(queries, DIMENSION);
  assert.ok(Math.abs(Math.hypot(...mean) - 1) <= BOUND);
  const gallery = rows(20, 2);
  const [together] = [...cosineRows({ queries: mean, gallery, dimension: DIMENSION })].map((scores) => [...scores]);
  const alone = Array.from(cosineRows({ queries, gallery, dimension: DIMENSION }), (scores) => [...scores]);
  const sum = Array.from(
    { length: DIMENSION },
    (_, i) => queries[i] + queries[DIMENSION + i] + queries[2 * DIMENSION + i],
  );
  together.forEach((score, item) => {
    const expected = alone.reduce((total, scores) => total + scores[item], 0) / Math.hypot(...sum);
    assert.ok(Math.abs(score - expected) <= 8 * BOUND, `${score} where ${expected} is expected`);
  });
});

test('of one sketch it has the same numbers; the length of a row does not weigh', () => {
  const one = rows(1, 3);
  assert.equal(meanEmbedding(one, DIMENSION), one);
  const queries = rows(2, 4);
  const longer = queries.map((value, i) => (i < DIMENSION ? 4 * value : value));
  const expected = meanEmbedding(queries, DIMENSION);
  meanEmbedding(longer, DIMENSION).forEach((value, i) => assert.ok(Math.abs(value - expected[i]) <= BOUND));
});

test('none, opposite ones and values that are not finite are refused', () => {
  const [a] = [rows(1, 5)];
  const opposite = Float32Array.from([...a, ...a.map((value) => -value)]);
  for (const [values, message] of [
    [new Float32Array(0), /there is no query embedding/],
    [opposite, /the 2 query embeddings cancel out.*fewer sketches/],
    [Float32Array.from([...a, ...a.map(() => NaN)]), /query embedding 1 has a value that is not finite/],
    [new Float32Array(2 * DIMENSION), /cancel out/],
  ] as const) {
    assert.throws(
      () => meanEmbedding(values, DIMENSION),
      (error: unknown) => error instanceof RetrievalError && message.test(error.message),
    );
  }
});

test.run();
