import { test } from 'uvu';
import { openStore } from '../../src/stores/open-store.ts';
import { checkStore } from '../support/store-contract.ts';
import { startPostgres } from '../support/pglite-server.ts';

const server = await startPostgres();
test.after(() => server.close());

test('pgvector finds 99 of 100 nearest pictures, 95 with a filter, while others write', async () => {
  const store = await openStore(`${server.url}#album`, { modelChecksum: 'c0ffee'.repeat(10), dimension: 32 });
  // halfvec rounds a component by 2^-11 of itself at most; so the cosine of two unit vectors is off by at most 2^-10.
  await checkStore(store, { count: 5000, queries: 20, scoreError: 2 ** -10 });
  await store.close();
});

test.run();
