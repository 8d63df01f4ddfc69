import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RandomStream } from '../../src/random/philox.ts';
import { rankGallery } from '../../src/retrieval/evaluate.ts';
import { Candidates } from '../../src/retrieval/exact/candidates.ts';
import { ExactSearch } from '../../src/retrieval/exact/exact-search.ts';
import { hasSimd, integerRows, QUERY_GROUP, ROW_BLOCK } from '../../src/retrieval/exact/integer-rows.ts';
import { storeVectors, vectorReader } from '../../src/retrieval/exact/stored-vectors.ts';
import { float16ToFloat32Bits, widen } from '../../kernels/contract/half.ts';
import { RetrievalError } from '../../src/retrieval/vectors.ts';

const random = (seed: number): RandomStream => new RandomStream(seed, 0);

/** Rows around a few centres, so that many cosines are close, among them equal rows and rows of zeros. */
function gallery(count: number, dimension: number, seed: number): Float32Array {
  const stream = random(seed);
  const centres = Array.from({ length: 7 }, () =>
    Float32Array.from({ length: dimension }, () => 2 * stream.uniform() - 1),
  );
  const rows = new Float32Array(count * dimension);
  for (let row = 0; row < count; row++) {
    const kind = Math.floor(10 * stream.uniform());
    if (kind === 0) continue;
    const centre = centres[row % centres.length];
    const spread = kind < 3 ? 0 : 0.1 * stream.uniform();
    const length = 10 ** (6 * stream.uniform() - 3);
    for (let i = 0; i < dimension; i++)
      rows[row * dimension + i] = length * (centre[i] + spread * (2 * stream.uniform() - 1));
  }
  return rows;
}

test('rows of 16 bits are searched exactly, and rows without their vectors by their copies', () => {
  const dimension = 48;
  const rows = gallery(1500, dimension, 11).map((value) => Math.max(-6e4, Math.min(6e4, value)));
  const queries = gallery(6, dimension, 12);
  const halves = storeVectors(rows, dimension, 'f16') as Uint16Array;
  const rounded = new ExactSearch(widen(halves, float16ToFloat32Bits), dimension).searchAll(queries, 9);
  const search = new ExactSearch(halves, dimension);
  assert.equal(search.searchAll(queries, 9), rounded);
  const pairs = (of: ExactSearch): number[] => {
    const found: number[] = [];
    of.eachPair(0.999, (a, b) => found.push(a, b));
    return found;
  };
  assert.equal(pairs(search), pairs(new ExactSearch(widen(halves, float16ToFloat32Bits), dimension)));

  const exact = new ExactSearch(rows, dimension);
  const copies = new ExactSearch(rows, dimension, { rescore: false, first: 5 });
  const reader = vectorReader(storeVectors(rows, dimension, 'int8'), dimension);
  for (let query = 0; query < 6; query++) {
    const cosines = new Map(
      exact
        .search(queries.subarray(query * dimension, (query + 1) * dimension), 1500)
        .map(({ index, score }) => [index, score]),
    );
    const found = copies.search(
      queries.subarray(query * dimension, (query + 1) * dimension),
      9,
      (row) => row % 2 === 0,
    );
    assert.is(found.length, 9);
    // A step of a copy is at most 2 / 254 of a vector of length 1 whose values are spread evenly.
    for (const { index, score } of found) {
      assert.ok(Math.abs(score - (cosines.get(index - 5) as number)) < 0.01);
      assert.is(index % 2, 0);
    }
  }
  for (const row of [0, 700]) {
    const vector = rows.subarray(row * dimension, (row + 1) * dimension);
    const length = Math.hypot(...vector) || 1;
    reader(row).forEach((value, i) => assert.ok(Math.abs(value - vector[i] / length) < 0.01));
  }
});

test('the runtime has vectors of WebAssembly, so that both ways are tested', () => {
  assert.ok(hasSimd());
});

for (const simd of [true, false]) {
  const how = simd ? 'WebAssembly' : 'plain JavaScript';

  test(`finds what a search that computes every cosine finds, by ${how}`, () => {
    for (const [count, dimension] of [
      [1, 1],
      [5, 3],
      [ROW_BLOCK - 1, 16],
      [ROW_BLOCK + 1, 17],
      [2 * ROW_BLOCK + 3, 67],
      [3001, 128],
      [601, 515],
    ]) {
      const rows = gallery(count, dimension, count);
      const queries = gallery(6, dimension, 3 * count + 1);
      const search = new ExactSearch(rows, dimension, { simd });
      for (const k of [1, 10, count + 5]) {
        const expected = Array.from({ length: 6 }, (_, query) =>
          rankGallery(queries.subarray(query * dimension, (query + 1) * dimension), rows, dimension, k),
        );
        assert.equal(search.searchAll(queries, k), expected, `${count} x ${dimension}, k ${k}`);
        assert.equal(search.search(queries.subarray(0, dimension), k), expected[0]);
      }
    }
  });

  test(`sums of products are exact up to the largest that fit 32 bits, by ${how}`, () => {
    // 127 x 32767 x 516 is the last multiple below 2 ** 31.
    for (const [dimension, count] of [
      [516, 5],
      [1, 1],
      [15, 3],
      [16, ROW_BLOCK],
      [33, 7],
    ]) {
      const rows = integerRows(count, dimension, { simd });
      const stream = random(dimension);
      const draw = (most: number): number => Math.round((2 * stream.uniform() - 1) * most);
      for (let row = 0; row < count; row++)
        rows.row(row).set(Array.from({ length: dimension }, () => (row === 0 ? -127 : draw(127))));
      for (const group of [1, 3, QUERY_GROUP]) {
        const queries = new Int16Array(group * rows.width);
        for (let query = 0; query < group; query++)
          queries.set(
            Array.from({ length: dimension }, () => (query === 0 ? 32767 : draw(32767))),
            query * rows.width,
          );
        const sums = rows.multiply(queries, 0, count);
        for (let query = 0; query < group; query++) {
          for (let row = 0; row < count; row++) {
            // Exact in float64, too.
            const expected = rows.row(row).reduce((sum, value, i) => sum + value * queries[query * rows.width + i], 0);
            assert.is(sums[query * ROW_BLOCK + row], expected, `${dimension}: ${query}, ${row}`);
          }
        }
      }
    }
  });
}

test('any gallery, query and filter give the rows of the full search', () => {
  const values = (length: number): fc.Arbitrary<Float32Array> =>
    fc
      .array(fc.oneof(fc.constantFrom(0, 1, -1), fc.float({ noNaN: true, min: -1000, max: 1000 })), {
        minLength: length,
        maxLength: length,
      })
      .map((list) => Float32Array.from(list));
  fc.assert(
    fc.property(
      fc
        .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 12 }))
        .chain(([count, dimension, k]) =>
          fc.tuple(values(count * dimension), values(dimension), fc.constant(dimension), fc.constant(k)),
        ),
      ([rows, query, dimension, k]) => {
        const search = new ExactSearch(rows, dimension);
        assert.equal(search.search(query, k), rankGallery(query, rows, dimension, k));
        const all = rankGallery(query, rows, dimension, search.count);
        assert.equal(
          search.search(query, k, (row) => row % 3 !== 1),
          all.filter(({ index }) => index % 3 !== 1).slice(0, k),
        );
      },
    ),
    { numRuns: 300 },
  );
});

test('a part of a gallery gives the places of the whole', () => {
  const rows = gallery(50, 8, 1);
  const part = new ExactSearch(rows.subarray(20 * 8), 8, { first: 20 });
  const seen: number[] = [];
  const found = part.search(rows.subarray(0, 8), 3, (row) => seen.push(row) > 0);
  assert.ok(found.every(({ index }) => index >= 20 && index < 50));
  assert.ok(seen.every((row) => row >= 20 && row < 50));
});

test('candidates are all rows whose bounds leave them among the k best', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: 0, max: 6 })), {
        minLength: 1,
        maxLength: 300,
      }),
      fc.integer({ min: 1, max: 9 }),
      (rows, k) => {
        const candidates = new Candidates(k);
        rows.forEach(([score, bound], place) => candidates.offer(place, score, bound));
        const lower = rows.map(([score, bound]) => score - bound).sort((a, b) => b - a);
        const least = lower[k - 1] ?? -Infinity;
        const expected = [...rows.keys()].filter((place) => rows[place][0] + rows[place][1] >= least);
        assert.equal([...candidates.rows()], expected);
      },
    ),
  );
});

test('few rows of a gallery need their cosine computed', () => {
  const rows = gallery(20000, 64, 5);
  let offered = 0;
  const search = new ExactSearch(rows, 64);
  const found = search.search(rows.subarray(64, 128), 10, () => ++offered > 0);
  assert.is(found.length, 10);
  assert.ok(offered < 20000 / 4, `${offered} of 20000 rows reached the bound`);
});

test('values that are not finite, and sizes that disagree, are refused', () => {
  const refused = (call: () => unknown, message: RegExp): void =>
    assert.throws(call, (error: Error) => error instanceof RetrievalError && message.test(error.message));
  refused(() => new ExactSearch(new Float32Array(7), 2), /no multiple of the dimension 2/);
  refused(() => new ExactSearch(Float32Array.of(1, NaN), 2), /gallery embedding 0 has a value that is not finite/);
  const search = new ExactSearch(Float32Array.of(1, 2), 2);
  refused(() => search.search(Float32Array.of(1), 1), /one query of 2 values is needed, there are 1/);
  refused(() => search.search(Float32Array.of(1, Infinity), 1), /query embedding 0 has a value that is not finite/);
  refused(() => search.search(Float32Array.of(1, 2), 0), /k must be an integer above 0/);
  assert.equal(new ExactSearch(new Float32Array(0), 2).search(Float32Array.of(1, 2), 3), []);
});

test.run();
