import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openStore } from '../../src/stores/open-store.ts';
import { StoreError } from '../../src/stores/store.ts';
import { checkKilledWriter } from '../support/killed-writer.ts';
import { checkStore } from '../support/store-contract.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'lance-'));
test.after(() => rm(folder, { recursive: true, force: true }));

const CHECKSUM = 'c0ffee'.repeat(10);
const content = { modelChecksum: CHECKSUM, dimension: 128 };

test('LanceDB finds 99 of 100 nearest pictures, 95 with a filter, while others write', async () => {
  const store = await openStore(`lance:${folder}/a`, content);
  // Refined results have the cosines of float32 vectors.
  await checkStore(store, { count: 10_000, queries: 20, scoreError: 1e-6 });
  await store.close();
});

test('a store of another model is not searched', async () => {
  const address = `lance:${folder}/a`;
  const error = await openStore(address, { modelChecksum: 'd'.repeat(60) }).catch((error: unknown) => error);
  assert.instance(error, StoreError);
  assert.match((error as Error).message, /has no pictures of the model d{16}; sketchgrad index load/);
  const other = await openStore(address, { ...content, dimension: 64 }).catch((error: unknown) => error);
  assert.match((other as Error).message, /has vectors of 128 components, and 64 are needed/);
});

test('a process that is killed while it writes leaves whole batches', async () => {
  await checkKilledWriter(`lance:${folder}/b`, CHECKSUM, 16);
});

test.run();
