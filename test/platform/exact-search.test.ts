import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openExactSearch } from '../../src/platform/node/exact-search.ts';
import { divideRows, mergeRankings, STRIPE_ROWS } from '../../src/retrieval/exact/divided-search.ts';
import { ExactSearch } from '../../src/retrieval/exact/exact-search.ts';
import { RetrievalError } from '../../src/retrieval/vectors.ts';
import { uniformNumbers } from '../support/uniform-numbers.ts';

/** Few different values, so that many rows are equal, within a share and across shares. */
const rowsOf = (count: number, dimension: number, seed: number): Float32Array => {
  const uniform = uniformNumbers(seed);
  return Float32Array.from({ length: count * dimension }, () => Math.round(uniform()));
};

test('threads give the bits of one search, for every number of threads', async () => {
  const dimension = 5;
  // Each thread starts a runtime of its own, so few of them are started.
  for (const [count, threadCounts] of [
    [0, [1]],
    [2, [3]],
    [2501, [1, 2, 3]],
  ] as const) {
    const gallery = rowsOf(count, dimension, 1);
    const queries = rowsOf(7, dimension, 2);
    const one = new ExactSearch(gallery, dimension);
    for (const threads of threadCounts) {
      const search = await openExactSearch(gallery, dimension, { threads });
      try {
        assert.is(search.count, count);
        for (const k of [1, 10, 3000])
          assert.equal(await search.searchAll(queries, k), one.searchAll(queries, k), `${count}, ${threads}, ${k}`);
        const query = queries.subarray(dimension, 2 * dimension);
        const mask = Uint8Array.from({ length: count }, (_, row) => Number(row % 3 !== 1 && row > 900));
        assert.equal(
          await search.search(query, 7, mask),
          one
            .search(query, Math.max(1, count))
            .filter(({ index }) => mask[index] !== 0)
            .slice(0, 7),
        );
        assert.equal(await Promise.all([search.search(query, 4), search.search(query, 4)]), [
          one.search(query, 4),
          one.search(query, 4),
        ]);
      } finally {
        await search.close();
      }
    }
  }
});

test('rows that are added one by one and many at once are found as if they had been there', async () => {
  const dimension = 3;
  const counts = [7, 1, 1, 2, 1, 5, STRIPE_ROWS + 3, 1, 4];
  const rows = rowsOf(
    counts.reduce((sum, count) => sum + count, 0),
    dimension,
    3,
  );
  const queries = rowsOf(4, dimension, 4);
  const search = await openExactSearch(rows.subarray(0, counts[0] * dimension), dimension, { threads: 2 });
  try {
    for (let next = 1, end = counts[0]; next < counts.length; end += counts[next++]) {
      const adding = search.add(rows.subarray(end * dimension, (end + counts[next]) * dimension));
      // A search that begins while rows are being added waits for them.
      const found = await search.searchAll(queries, 9);
      await adding;
      assert.is(search.count, end + counts[next]);
      const one = new ExactSearch(rows.subarray(0, search.count * dimension), dimension);
      assert.equal(found, one.searchAll(queries, 9));
      const mask = Uint8Array.from({ length: search.count }, (_, row) => Number(row % 3 !== 1));
      assert.equal(
        await search.searchAll(queries, 9, mask),
        one.searchAll(queries, 9, (row) => mask[row] !== 0),
      );
    }
    const error = await search.add(Float32Array.of(1, NaN, 0)).catch((cause: unknown) => cause);
    assert.match((error as Error).message, /gallery embedding 0 has a value/);
  } finally {
    await search.close();
  }
});

test('any division into parts gives the bits of the whole', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -2, max: 2 })), { maxLength: 40 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 12 }),
      (rows, parts, k) => {
        const gallery = Float32Array.from(rows.flat());
        const query = Float32Array.of(1, 0.5);
        const ranges = divideRows(rows.length, parts);
        assert.is(
          ranges.reduce((sum, { count }) => sum + count, 0),
          rows.length,
        );
        const found = ranges.map(({ first, count }) =>
          new ExactSearch(gallery.subarray(2 * first, 2 * (first + count)), 2, { first }).search(query, k),
        );
        assert.equal(mergeRankings(found, k), new ExactSearch(gallery, 2).search(query, k));
      },
    ),
  );
});

test('what one search refuses, threads refuse, and name the row of the whole gallery', async () => {
  const refused = async (promise: Promise<unknown>, message: RegExp): Promise<void> => {
    const error = await promise.catch((cause: unknown) => cause);
    assert.instance(error, RetrievalError);
    assert.match((error as Error).message, message);
  };
  await refused(openExactSearch(Float32Array.of(1, 0, 1, NaN), 2, { threads: 2 }), /gallery embedding 1 has a value/);
  await refused(openExactSearch(Float32Array.of(1, 0), 2, { threads: 0 }), /number of threads must be/);
  const search = await openExactSearch(Float32Array.of(1, 0, 0, 1), 2, { threads: 2 });
  await refused(search.search(Float32Array.of(1), 1), /one query of 2 values/);
  await refused(search.search(Float32Array.of(1, NaN), 1), /query embedding 0 has a value/);
  await refused(search.search(Float32Array.of(1, 0), 1, Uint8Array.of(1)), /a mask of 2 rows is needed, there are 1/);
  await refused(search.search(Float32Array.of(1, 0), 0), /k must be an integer above 0/);
  await search.close();
});

test.run();
