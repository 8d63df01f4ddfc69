import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RandomStream, STREAM } from '../../src/random/philox.ts';
import { Int8Cosine, toInt8Vectors } from '../../src/retrieval/int8-vectors.ts';
import { rotateBack, rotation } from '../../src/retrieval/rotation.ts';

const random = new RandomStream(3, STREAM.initialisation);

/** Rows of normal numbers, a few of their values far larger than the others, as networks give them. */
function embeddings(count: number, dimension: number): Float32Array {
  return Float32Array.from({ length: count * dimension }, (_, at) => random.normal() * (at % dimension < 2 ? 8 : 1));
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

test('cosines are those of float64, but for the rounding of the rows to 255 steps', () => {
  for (const dimension of [1, 3, 24, 96, 128, 130, 2048]) {
    const rows = embeddings(20, dimension);
    const vectors = toInt8Vectors(rows, dimension);
    const ranked = new Int8Cosine(vectors, dimension);
    assert.is(ranked.count, 20);
    for (let trial = 0; trial < 5; trial++) {
      const query = embeddings(1, dimension);
      ranked.setQuery(query);
      for (let row = 0; row < 20; row++) {
        // A row of length L in steps is off by half a step in each value at most, so by an angle whose sine is
        // sqrt(dimension) / 2 / L, and a cosine by no more than the angle. The query's own steps are some thousand
        // times finer.
        const length = Math.sqrt(
          vectors.subarray(row * dimension, (row + 1) * dimension).reduce((sum, value) => sum + value * value, 0),
        );
        const bound = Math.asin(Math.min(1, Math.sqrt(dimension) / 2 / (length - Math.sqrt(dimension) / 2))) + 1e-4;
        const expected = cosine(query, rows.subarray(row * dimension, (row + 1) * dimension));
        assert.ok(
          Math.abs(ranked.at(row) - expected) <= bound,
          `dimension ${dimension}: ${ranked.at(row)}, ${expected}, ${bound}`,
        );
      }
    }
  }
});

test('rows one by one and rows that follow one another have the same cosines', () => {
  const ranked = new Int8Cosine(toInt8Vectors(embeddings(11, 33), 33), 33);
  ranked.setQuery(embeddings(1, 33));
  for (const [first, end] of [
    [0, 11],
    [3, 8],
    [5, 5],
    [1, 2],
  ]) {
    const given: [number, number][] = [];
    ranked.each(first, end, (row, value) => given.push([row, value]));
    assert.equal(
      given,
      Array.from({ length: end - first }, (_, place) => [first + place, ranked.at(first + place)]),
    );
  }
});

test('a vector is nearest to itself, whatever its length', () => {
  for (const factor of [1, 1e-6, 1e6]) {
    const rows = embeddings(10, 64).map((value) => factor * value);
    const ranked = new Int8Cosine(toInt8Vectors(rows, 64), 64);
    for (let row = 0; row < 10; row++) {
      ranked.setQuery(rows.slice(64 * row, 64 * (row + 1)));
      assert.ok(ranked.at(row) > 0.999 && ranked.at(row) <= 1 + 1e-6);
    }
  }
});

test('a row as the query gives the cosines of the stored vectors', () => {
  const dimension = 24;
  const vectors = toInt8Vectors(embeddings(9, dimension), dimension);
  const ranked = new Int8Cosine(vectors, dimension);
  const stored = (row: number): number[] => [...vectors.subarray(row * dimension, (row + 1) * dimension)];
  const dot = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, value, i) => sum + value * b[i], 0);
  for (const query of [0, 5, 8]) {
    ranked.setQueryRow(query);
    for (let row = 0; row < 9; row++)
      assert.ok(
        Math.abs(
          ranked.at(row) -
            dot(stored(query), stored(row)) /
              Math.sqrt(dot(stored(query), stored(query)) * dot(stored(row), stored(row))),
        ) < 1e-12,
      );
  }
  for (const row of [-1, 9, NaN]) assert.throws(() => ranked.setQueryRow(row), RangeError);
});

test('the largest sums stay within 32 bits', () => {
  for (const dimension of [1, 128, 2048, 3 * 1024]) {
    // Equal values with the rotation's signs leave it as one value; all at the largest step are the longest row.
    for (const row of [
      new Int8Array(dimension).fill(127),
      Int8Array.from({ length: dimension }, (_, i) => (i % 2 === 0 ? 127 : -127)),
    ]) {
      const ranked = new Int8Cosine(row, dimension);
      for (let at = 0; at < Math.min(dimension, 8); at++) {
        const query = new Float32Array(dimension);
        query[at] = 1;
        ranked.setQuery(query);
        assert.ok(Math.abs(ranked.at(0)) <= 1 + 1e-6, `${dimension}: ${ranked.at(0)}`);
      }
      // The query whose rotation is the row itself: the transform is its own inverse, up to the signs, which are found
      // by unit vectors.
      const aligned = Float32Array.from({ length: dimension }, (_, i) => {
        const unit = new Float32Array(dimension);
        unit[i] = 1;
        ranked.setQuery(unit);
        return dimension <= 128 ? ranked.at(0) : 0;
      });
      if (dimension <= 128) {
        ranked.setQuery(aligned);
        assert.ok(Math.abs(ranked.at(0) - 1) < 1e-6, String(ranked.at(0)));
      }
    }
  }
});

test('a vector of length 0 has cosine 0; what is no number is refused', () => {
  const ranked = new Int8Cosine(toInt8Vectors(new Float32Array([0, 0, 1, 0]), 2), 2);
  ranked.setQuery(new Float32Array([1, 2]));
  assert.is(ranked.at(0), 0);
  ranked.setQuery(new Float32Array(2));
  assert.is(ranked.at(1), 0);
  assert.throws(() => toInt8Vectors(new Float32Array([1, NaN]), 2), /not finite/);
  assert.throws(() => ranked.setQuery(new Float32Array([1, Infinity])), /not finite/);
  assert.throws(() => ranked.setQuery(new Float32Array(3)), /2 values is needed, there are 3/);
  assert.throws(() => new Int8Cosine(new Int8Array(3), 2), /no vectors of 2/);
});

test('a rotated vector is turned back, in blocks of every length', () => {
  for (const dimension of [1, 2, 6, 16, 20]) {
    const vector = Float64Array.from({ length: dimension }, (_, i) => Math.sin(3 * i + dimension));
    rotateBack(rotation(dimension)(vector)).forEach((value, i) =>
      assert.ok(Math.abs(value - vector[i]) <= 2 ** -50, `${dimension}: ${i}`),
    );
  }
});

test.run();
