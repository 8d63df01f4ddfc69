import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encode, fitBinaryCoder } from '../../src/retrieval/binary-codes.ts';
import { rankCodes, rankGallery } from '../../src/retrieval/evaluate.ts';
import { rerank } from '../../src/retrieval/rerank.ts';
import { RetrievalError } from '../../src/retrieval/vectors.ts';
import { uniformNumbers } from '../support/uniform-numbers.ts';

const DIMENSION = 12;
const uniform = uniformNumbers(4);
const gallery = Float32Array.from({ length: 200 * DIMENSION }, uniform);
gallery.copyWithin(150 * DIMENSION, 3 * DIMENSION, 4 * DIMENSION);
const query = Float32Array.from(gallery.subarray(3 * DIMENSION, 4 * DIMENSION), (value) => value + 0.2 * uniform());

test('all rows as candidates, in any order, give the search of the whole gallery', () => {
  const rows = Array.from({ length: 200 }, (_, row) => (77 * row) % 200);
  for (const k of [1, 2, 10, 300])
    assert.equal(rerank(query, gallery, DIMENSION, rows, k), rankGallery(query, gallery, DIMENSION, k));
});

test('the nearest codes are ranked by cosine', () => {
  const { coder } = fitBinaryCoder(gallery, DIMENSION, { bits: 8 });
  const candidates = rankCodes(encode(coder, query), encode(coder, gallery), 60).map(({ index }) => index);
  const all = rankGallery(query, gallery, DIMENSION, 200);
  const expected = all.filter(({ index }) => candidates.includes(index)).slice(0, 5);
  assert.equal(rerank(query, gallery, DIMENSION, candidates, 5), expected);
  assert.equal([expected[0].index, expected[1].index], [3, 150]);
});

test('what is no row is refused', () => {
  for (const candidate of [-1, 200, 0.5, NaN])
    assert.throws(
      () => rerank(query, gallery, DIMENSION, [candidate], 1),
      (error: unknown) => error instanceof RetrievalError && /is none of the 200 rows/.test(error.message),
    );
});

test.run();
