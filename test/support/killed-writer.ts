import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { openStore } from '../../src/stores/open-store.ts';
import { clusteredPictures } from './store-contract.ts';

const WRITER = fileURLToPath(new URL('./store-writer.ts', import.meta.url));
/** Pictures of a batch of the writer. */
const BATCH = 50;

/** Kills a writing process without notice, opens the store again and checks that each batch is there whole or not at all. */
export async function checkKilledWriter(address: string, modelChecksum: string, dimension: number): Promise<void> {
  const child = spawn(process.execPath, ['--import', 'tsx', WRITER, address, modelChecksum, String(dimension)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stored = -1;
  for await (const line of createInterface(child.stdout)) {
    stored = Number(line);
    // The next batch is under way.
    if (stored === 5) setTimeout(() => child.kill('SIGKILL'), 5);
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.is(child.signalCode, 'SIGKILL');
  assert.ok(stored >= 5);

  const store = await openStore(address, { modelChecksum });
  const batches = new Map<string, number>();
  let total = 0;
  for await (const paths of store.paths())
    for (const path of paths) {
      const [, batch] = path.split('/');
      batches.set(batch, (batches.get(batch) ?? 0) + 1);
      total++;
    }
  for (let batch = 0; batch <= stored; batch++) assert.is(batches.get(String(batch)), BATCH);
  for (const count of batches.values()) assert.is(count, BATCH);
  assert.is(await store.count(), total);
  // It is searched and written as before.
  const [{ vector }] = clusteredPictures(1, dimension, 7);
  assert.is((await store.search(vector, 10)).length, 10);
  await store.remove(['batch/0/0.png']);
  await store.flush();
  assert.is(await store.count(), total - 1);
  await store.close();
}
