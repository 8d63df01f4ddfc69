import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { RandomStream, STREAM } from '../../src/random/philox.ts';
import { bestItems, HIDDEN, Ranker } from '../../src/retrieval/ranking.ts';

/** The ranks of relevant items by a full sort of everything. */
function fullSort(scores: ArrayLike<number>, relevant: ArrayLike<number>): number[] {
  const order = Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  const isRelevant = new Set(Array.from(relevant));
  return order.flatMap((item, place) => (isRelevant.has(item) ? [place + 1] : []));
}

const subset = (n: number): fc.Arbitrary<number[]> =>
  fc.subarray(
    Array.from({ length: n }, (_, i) => i),
    { minLength: 1 },
  );
/** Every float32 but NaN: zeros of both signs, subnormal numbers, neighbours that differ in the last bit. */
const anyScore = fc.float({ noNaN: true, noDefaultInfinity: true });
const closeScores = fc.integer({ min: -3, max: 3 }).map((steps) => Math.fround(0.5 + steps * 2 ** -24));
const fewScores = fc.constantFrom(-1, -0, 0, 0.25, 1);

test('ranks are those of a full sort: any scores, neighbours in the last bit, many ties', () => {
  // One ranker for all, so that nothing of a query is left for the next.
  const ranker = new Ranker();
  for (const score of [anyScore, closeScores, fewScores]) {
    const cases = fc
      .integer({ min: 1, max: 60 })
      .chain((n) => fc.tuple(fc.array(score, { minLength: n, maxLength: n }), subset(n)));
    fc.assert(
      fc.property(cases, ([values, relevant]) => {
        assert.equal(
          [...ranker.rank(Float32Array.from(values), Uint32Array.from(relevant))],
          fullSort(values, relevant),
        );
      }),
      { numRuns: 400 },
    );
  }
});

test('a large gallery of clusters, with doubles', () => {
  let state = 1;
  const uniform = (): number => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff;
  const scores = Float32Array.from({ length: 20000 }, (_, i) => Math.fround((i % 7) / 7 + 0.2 * uniform() ** 3));
  for (let i = 3; i < scores.length; i += 3) scores[i] = scores[i - 3];
  const ranker = new Ranker();
  for (const every of [1, 2, 30, 5000]) {
    const relevant = Uint32Array.from({ length: Math.ceil(scores.length / every) }, (_, i) => i * every);
    assert.equal([...ranker.rank(scores, relevant)], fullSort(scores, relevant));
  }
});

test('what has the score -Infinity is behind all, and nothing relevant has no ranks', () => {
  const ranker = new Ranker();
  assert.equal([...ranker.rank(new Float32Array([-Infinity, -1e38, 2]), new Uint32Array([1]))], [2]);
  assert.equal([...ranker.rank(new Float32Array([1, 2]), new Uint32Array(0))], []);
});

test('ranks by distance are those by minus the distance', () => {
  const ranker = new Ranker();
  const cases = fc
    .integer({ min: 1, max: 60 })
    .chain((n) => fc.tuple(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: n, maxLength: n }), subset(n)));
  fc.assert(
    fc.property(cases, ([distances, relevant]) => {
      assert.equal(
        [...ranker.rankByDistance(Uint16Array.from(distances), Uint32Array.from(relevant))],
        fullSort(
          distances.map((distance) => -distance),
          relevant,
        ),
      );
    }),
    { numRuns: 400 },
  );
  assert.equal([...ranker.rankByDistance(new Uint16Array([HIDDEN, 4000, 1]), new Uint32Array([1]))], [2]);
});

test('the best items', () => {
  assert.equal(bestItems([0, 2, 1, 2], 3), [
    { index: 1, score: 2 },
    { index: 3, score: 2 },
    { index: 2, score: 1 },
  ]);
});

test('the best of many items are those of a sort, ties by their places', () => {
  const random = new RandomStream(5, STREAM.initialisation);
  for (const [count, k, levels] of [
    [1000, 10, 1e9],
    [1000, 10, 7],
    [50, 100, 5],
    [997, 996, 50],
    [3, 1, 1],
  ]) {
    const scores = Array.from({ length: count }, () => Math.floor(levels * random.uniform()));
    const sorted = scores
      .map((score, index) => ({ index, score }))
      .sort((a, b) => b.score - a.score || a.index - b.index);
    assert.equal(bestItems(scores, k), sorted.slice(0, k));
    assert.equal(
      bestItems(sorted.map(({ score }) => score).reverse(), k).map(({ score }) => score),
      sorted.slice(0, k).map(({ score }) => score),
      'rising',
    );
  }
});

test.run();
