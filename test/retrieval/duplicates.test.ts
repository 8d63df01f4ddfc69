import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cosineRows } from '../../src/retrieval/cosine.ts';
import { duplicateGroups } from '../../src/retrieval/duplicates.ts';
import { ExactSearch } from '../../src/retrieval/exact/exact-search.ts';

/** Groups by every cosine, in the plainest way: labels spread until none changes. */
function groupsByAllPairs(
  embeddings: Float32Array,
  dimension: number,
  least: number,
  digests: readonly string[],
): number[][] {
  const cosines = Array.from({ length: digests.length }, (_, row) => {
    const query = embeddings.slice(row * dimension, (row + 1) * dimension);
    return [...cosineRows({ queries: query, gallery: embeddings, dimension })][0];
  });
  const labels = digests.map((_, row) => row);
  for (let isChanged = true; isChanged;) {
    isChanged = false;
    for (let a = 0; a < labels.length; a++)
      for (let b = 0; b < labels.length; b++)
        if (labels[a] > labels[b] && (cosines[Math.min(a, b)][Math.max(a, b)] >= least || digests[a] === digests[b])) {
          labels[a] = labels[b];
          isChanged = true;
        }
  }
  return [...new Set(labels)]
    .map((label) => [...labels.keys()].filter((row) => labels[row] === label))
    .filter(({ length }) => length > 1);
}

test('groups are those of all pairs, with copies by their digests', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 }), fc.nat({ max: 30 })), {
        maxLength: 90,
      }),
      fc.constantFrom(0.9, 0.99, 0.9999, 1),
      (rows, least) => {
        const embeddings = Float32Array.from(rows.flatMap(([x, y]) => [x, y, 5]));
        const digests = rows.map(([, , digest], row) => (digest < 5 ? `copy ${digest}` : `own ${row}`));
        assert.equal(
          duplicateGroups({ embeddings, dimension: 3, digests, least }),
          groupsByAllPairs(embeddings, 3, least, digests),
        );
      },
    ),
    { numRuns: 40 },
  );
});

test('each pair is found once, in a gallery of several passes and blocks', () => {
  const count = 1100;
  const embeddings = new Float32Array(4 * count);
  // Rows on a quarter of a circle, so that only neighbours are near: pairs of distance 1.
  for (let row = 0; row < count; row++) embeddings.set([Math.cos(row / count), Math.sin(row / count), 0, 0], 4 * row);
  const pairs: string[] = [];
  new ExactSearch(embeddings, 4).eachPair(Math.cos(1.5 / count), (row, other) => pairs.push(`${row} ${other}`));
  assert.equal(pairs.sort(), Array.from({ length: count - 1 }, (_, row) => `${row} ${row + 1}`).sort());
});

test.run();
