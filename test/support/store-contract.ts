// What every store must do, whichever engine it uses.
import * as assert from 'uvu/assert';
import { RandomStream } from '../../src/random/philox.ts';
import type { PictureFilter } from '../../src/retrieval/picture-filter.ts';
import { ExactStore } from '../../src/stores/exact-store.ts';
import { StoreError, type StoredPicture, type VectorStore } from '../../src/stores/store.ts';

const CENTRES = 100;
const K = 10;
/** Of ten folders: a tenth of the pictures pass. */
export const TENTH: PictureFilter = { folders: ['./album/3/'] };

/** Pictures whose vectors are around a few centers, in ten folders that have nothing to do with the centers. */
export function clusteredPictures(count: number, dimension: number, seed: number): StoredPicture[] {
  const stream = new RandomStream(1, 0);
  const random = new RandomStream(seed, 1);
  const normal = (from: RandomStream): number => from.uniform() + from.uniform() + from.uniform() - 1.5;
  const centres = Array.from({ length: CENTRES }, () => Float32Array.from({ length: dimension }, () => normal(stream)));
  return Array.from({ length: count }, (_, index) => ({
    path: `album/${index % 10}/it's ${seed}-${index}.png`,
    size: 1000 + index,
    time: 1e12 + index,
    digest: index.toString(16).padStart(64, '0'),
    vector: unit(centres[Math.floor(CENTRES * random.uniform())].map((value) => value + 0.7 * normal(random))),
  }));
}

export function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** The share of the ten nearest pictures that a store finds, and the largest error of a score. */
export async function recallOf(
  store: VectorStore,
  exact: VectorStore,
  queries: readonly Float32Array[],
  filter?: PictureFilter,
): Promise<{ readonly recall: number; readonly error: number }> {
  let found = 0;
  let error = 0;
  for (const query of queries) {
    const expected = new Map((await exact.search(query, K, filter)).map(({ path, score }) => [path, score]));
    const hits = await store.search(query, K, filter);
    assert.ok(hits.length <= K);
    for (const { path, score } of hits) {
      const true_ = expected.get(path);
      if (true_ === undefined) continue;
      found++;
      error = Math.max(error, Math.abs(score - true_));
    }
  }
  return { recall: found / (K * queries.length), error };
}

/**
 * Fills an empty store and compares it with the exact one: recall, scores, filters, replaced and removed pictures, and
 * writes while it is searched.
 * @param scoreError what the engine's storage type of vectors allows
 */
export async function checkStore(
  store: VectorStore,
  { count, queries: queryCount, scoreError }: { count: number; queries: number; scoreError: number },
): Promise<void> {
  const { dimension } = store;
  const pictures = clusteredPictures(count, dimension, 2);
  const queries = clusteredPictures(queryCount, dimension, 3).map(({ vector }) => vector);
  const exact = new ExactStore(dimension);
  await exact.add(pictures);
  for (let start = 0; start < count; start += 2500) await store.add(pictures.slice(start, start + 2500));
  await store.flush();
  assert.is(await store.count(), count);

  const all = await recallOf(store, exact, queries);
  assert.ok(all.recall >= 0.99, `recall ${all.recall}`);
  assert.ok(all.error <= scoreError, `error of a score ${all.error}`);
  const tenth = await recallOf(store, exact, queries, TENTH);
  assert.ok(tenth.recall >= 0.95, `recall with a filter ${tenth.recall}`);

  // Filters of every kind, alone and together.
  for (const filter of [
    TENTH,
    { labels: ['3', '4'] },
    { after: 1e12 + 10, before: 1e12 + 50 },
    { minSize: 1005, maxSize: 1060, labels: ['0', '7'], folders: ['album'] },
    { folders: ["it's"] },
  ] satisfies PictureFilter[]) {
    assert.is(await store.count(filter), await exact.count(filter), JSON.stringify(filter));
    const wanted = (await exact.search(queries[0], K, filter)).map(({ path }) => path);
    const found = (await store.search(queries[0], K, filter)).map(({ path }) => path);
    assert.is(found.length, wanted.length, JSON.stringify(filter));
  }

  // A path is one row: the same again changes nothing, another content replaces it.
  const [first, second, third] = pictures;
  await store.add([first, first]);
  assert.is(await store.count(), count);
  const changed = { ...first, digest: 'f'.repeat(64), vector: second.vector.map((value) => -value) };
  await store.add([changed]);
  assert.is(await store.count(), count);
  assert.is((await store.digests([first.path, second.path, 'nowhere'])).size, 2);
  assert.is((await store.digests([first.path])).get(first.path), changed.digest);
  const [best] = await store.search(changed.vector, 1);
  assert.is(best.path, first.path);
  assert.is(best.digest, changed.digest);
  await store.remove([first.path, 'nowhere']);
  assert.is(await store.count(), count - 1);
  assert.not.ok((await store.search(changed.vector, K)).some(({ path }) => path === first.path));
  await exact.remove([first.path]);

  // Searches while others write: always k results, never a picture that was removed before the search began.
  const added = clusteredPictures(300, dimension, 4);
  const removed = new Set<string>();
  let writing = true;
  const writer = (async () => {
    for (let start = 0; start < added.length; start += 100) {
      const batch = added.slice(start, start + 100);
      await store.add(batch);
      const gone = pictures.slice(10 + start, 60 + start).map(({ path }) => path);
      await store.remove(gone);
      await exact.add(batch);
      await exact.remove(gone);
      for (const path of gone) removed.add(path);
    }
  })().finally(() => (writing = false));
  for (let search = 0; writing || search < 10; search++) {
    const before = new Set(removed);
    const hits = await store.search(queries[search % queries.length], K);
    assert.is(hits.length, K);
    assert.not.ok(hits.some(({ path }) => before.has(path)));
    assert.is(new Set(hits.map(({ path }) => path)).size, K);
  }
  await writer;
  assert.is(await store.count(), count - 1 + added.length - removed.size);
  const unindexed = await recallOf(store, exact, queries);
  assert.ok(unindexed.recall >= 0.99, `recall before the index is completed ${unindexed.recall}`);
  await store.flush();
  const completed = await recallOf(store, exact, queries);
  assert.ok(completed.recall >= 0.99, `recall afterwards ${completed.recall}`);

  const listed: string[] = [];
  for await (const batch of store.paths()) listed.push(...batch);
  const expected: string[] = [];
  for await (const batch of exact.paths()) expected.push(...batch);
  assert.equal(listed.sort(), expected.sort());

  for (const vector of [third.vector.subarray(1), new Float32Array(dimension), third.vector.map(() => NaN)]) {
    const rejected = await store.add([{ ...third, vector }]).catch((error: unknown) => error);
    assert.instance(rejected, StoreError);
    assert.instance(await store.search(vector, 1).catch((error: unknown) => error), StoreError);
  }
}
