import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { setTimeout as delay } from 'node:timers/promises';
import { openStore } from '../../src/stores/open-store.ts';
import { StoreError } from '../../src/stores/store.ts';
import { checkKilledWriter } from '../support/killed-writer.ts';
import { checkStore, TENTH } from '../support/store-contract.ts';
import { startPostgres } from '../support/pglite-server.ts';

const server = await startPostgres();
test.after(() => server.close());

test('pgvector finds 99 of 100 nearest pictures, 95 with a filter, while others write', async () => {
  // So small a table is read as a whole and sorted, which finds everything. Large ones are searched by the index.
  for (const setting of ['enable_seqscan', 'enable_bitmapscan']) await server.execute(`SET ${setting} = off`);
  const scans = async (): Promise<number> => {
    // Counts are published after a statement, and otherwise once a second.
    await server.execute('SELECT pg_stat_force_next_flush()');
    const [{ sum }] = await server.execute<{ sum: number }>(
      "SELECT sum(idx_scan)::int AS sum FROM pg_stat_user_indexes WHERE indexrelname LIKE '%_hnsw'",
    );
    return sum;
  };
  const store = await openStore(`${server.url}#album`, { modelChecksum: 'c0ffee'.repeat(10), dimension: 32 });
  // halfvec rounds a component by 2^-11 of itself at most; so the cosine of two unit vectors is off by at most 2^-10.
  await checkStore(store, { count: 3000, queries: 20, scoreError: 2 ** -10 });
  const before = await scans();
  assert.ok(before >= 40, `${before} scans of the index: 20 queries with a filter, and without`);
  const query = new Float32Array(32).fill(1);
  await store.search(query, 10, TENTH);
  await store.search(query, 10);
  assert.is(await scans(), before + 2);
  const plan = await server.execute<Record<string, string>>(
    `EXPLAIN SELECT path FROM album_c0ffeec0ffeec0ff ORDER BY vector <=> '[${query.join(',')}]'::halfvec LIMIT 10`,
  );
  assert.match(JSON.stringify(plan), /Index Scan using album_c0ffeec0ffeec0ff_hnsw/);
  await store.close();
});

test('a process that is killed while it writes leaves whole batches', async () => {
  await checkKilledWriter(`${server.url}#killed`, 'c0ffee'.repeat(10), 16);
});

test('errors name the database, and never the password', async () => {
  const open = (address: string): Promise<unknown> =>
    openStore(address, { modelChecksum: 'd'.repeat(60) }).catch((error: unknown) => error);
  // PGlite's server has one connection, and may still be ending that of the test before.
  let missing = await open(server.url);
  for (let tries = 0; tries < 50 && /Connection terminated/.test((missing as Error).message); tries++) {
    await delay(100);
    missing = await open(server.url);
  }
  const unreachable = await open('postgres://me:secret@127.0.0.1:1/photos');
  assert.instance(missing, StoreError);
  assert.match((missing as Error).message, /has no pictures of the model d{16}; sketchgrad index load/);
  assert.instance(unreachable, StoreError);
  assert.match((unreachable as Error).message, /^postgres:\/\/127\.0\.0\.1:1\/photos: .*ECONNREFUSED/);
  assert.not.match((unreachable as Error).message, /secret/);
});

test.run();
