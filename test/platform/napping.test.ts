import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { napUntil } from '../../src/platform/node/napping.ts';

/** Turns of the event loop while a promise is pending. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  await work;
  counting = false;
  return turns;
}

test('napping: results and failures pass through', async () => {
  assert.is(await napUntil(Promise.resolve(7)), 7);
  const failure = new Error('lost');
  assert.is(await napUntil(Promise.reject(failure)).catch((error: unknown) => error), failure);
});

test('napping: the loop turns slowly while anybody waits, and at its own pace once nobody does', async () => {
  const naps = 20;
  const until = delay(5 * naps);
  // Each turn sleeps half a millisecond, so that no more than two fit into one; whatever else the machine does makes
  // them fewer.
  const waiting = await turnsDuring(Promise.all([napUntil(until), napUntil(delay(1))]));
  assert.ok(waiting <= 2 * 5 * naps + naps, `${waiting} turns`);
  assert.ok(waiting > 1, 'timers still fire');
  const start = performance.now();
  await turnsDuring(new Promise((resolve) => setImmediate(() => setImmediate(resolve))));
  assert.ok(performance.now() - start < 1000, 'no nap is left over');
});

test('napping: waits that follow each other do not add up their naps', async () => {
  // Each begins before the nap of the one before it is due.
  const start = performance.now();
  for (let i = 0; i < 4000; i++) await napUntil(Promise.resolve());
  await turnsDuring(napUntil(delay(20)));
  assert.ok(performance.now() - start < 1000, `${performance.now() - start} ms`);
});

test.run();
