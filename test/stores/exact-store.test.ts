import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateRetrieval, rankGallery } from '../../src/retrieval/evaluate.ts';
import { evaluateStore } from '../../src/stores/evaluate-store.ts';
import { ExactStore } from '../../src/stores/exact-store.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { optionalPackage } from '../../src/stores/optional-package.ts';
import { pathId, StoreError } from '../../src/stores/store.ts';
import { checkStore, clusteredPictures } from '../support/store-contract.ts';

test('the exact store does what every store does', async () => {
  await checkStore(new ExactStore(24), { count: 600, queries: 5, scoreError: 0 });
});

test('the exact store finds the nearest of all rows, however they were added', async () => {
  const pictures = clusteredPictures(90, 16, 5);
  const store = new ExactStore(16);
  for (let start = 0; start < 90; start += 7) await store.add(pictures.slice(start, start + 7));
  const gallery = new Float32Array(90 * 16);
  pictures.forEach(({ vector }, row) => gallery.set(vector, 16 * row));
  const [{ vector: query }] = clusteredPictures(1, 16, 6);
  const expected = rankGallery(query, gallery, 16, 12).map(({ index, score }) => ({
    path: pictures[index].path,
    score,
  }));
  const found = await store.search(query, 12);
  assert.equal(
    found.map(({ path, score }) => ({ path, score })),
    expected,
  );
  await store.flush();
  assert.equal(await store.search(query, 12), found);
});

test('a store is evaluated as a ranking of the whole gallery is, and only with that gallery in it', async () => {
  const vectors = (count: number, seed: number): Float32Array =>
    Float32Array.from(clusteredPictures(count, 8, seed).flatMap(({ vector }) => [...vector]));
  const task = {
    queries: vectors(300, 7),
    gallery: vectors(70, 8),
    dimension: 8,
    queryLabels: Uint32Array.from({ length: 300 }, (_, i) => i % 7),
    galleryLabels: Uint32Array.from({ length: 70 }, (_, i) => (i * i) % 5),
    cutoffs: [1, 3, 100],
  };
  const store = new ExactStore(8);
  const full = evaluateRetrieval(task);
  for (let times = 0; times < 2; times++) {
    const top = await evaluateStore(store, task);
    assert.is(await store.count(), 70);
    assert.equal([top.queries, top.skippedQueries, top.gallerySize], [full.queries, full.skippedQueries, 70]);
    top.atCutoff.forEach(({ map, precision, hit }, i) => {
      assert.ok(Math.abs(map - full.atCutoff[i].map) < 1e-12);
      assert.ok(Math.abs(precision - full.atCutoff[i].precision) < 1e-12);
      assert.ok(hit >= precision);
    });
  }
  const fewer = { ...task, gallery: task.gallery.subarray(8), galleryLabels: task.galleryLabels.subarray(1) };
  const error = (await evaluateStore(store, fewer).catch((cause: unknown) => cause)) as Error;
  assert.match(error.message, /the store has evaluated\/0000000069, which is not of this gallery/);
});

test('an address that is none is refused', async () => {
  const error = (await openStore('faiss:x', { modelChecksum: 'a', dimension: 4 }).catch(
    (error: unknown) => error,
  )) as Error;
  assert.instance(error, StoreError);
  assert.match(error.message, /faiss:x is no store; give one of exact, lance:/);
});

test('a path has one identifier', () => {
  assert.match(pathId('a/b.png'), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.is(pathId('a/b.png'), pathId('a/b.png'));
  assert.is.not(pathId('a/b.png'), pathId('a/c.png'));
});

test('a package that is not installed is named, with the command that installs it', async () => {
  const missing = 'a-package-that-is-not-there';
  const error = await optionalPackage(() => import(missing), 'lance:x', missing).catch((error: unknown) => error);
  assert.instance(error, StoreError);
  assert.match((error as Error).message, /^lance:x needs a package that is not installed: npm install a-package/);
  const broken = new Error('broken');
  assert.is(await optionalPackage(() => Promise.reject(broken), 'x', 'y').catch((error: unknown) => error), broken);
});

test.run();
