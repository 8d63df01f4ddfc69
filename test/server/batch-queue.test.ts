import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BatchQueue } from '../../src/server/batch-queue.ts';

/** A worker that finishes a batch when it is told to. */
function slowWorker() {
  const batches: { readonly items: readonly number[]; finish(): void; fail(error: Error): void }[] = [];
  const work = (items: readonly number[]): Promise<number[]> =>
    new Promise((resolve, reject) =>
      batches.push({ items, finish: () => resolve(items.map((item) => 10 * item)), fail: reject }),
    );
  return { batches, work };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what comes together goes together, what waits makes the next batches, one at a time', async () => {
  const { batches, work } = slowWorker();
  const queue = new BatchQueue(work, 3);
  const first = [queue.add(1), queue.add(2)];
  await turn();
  const later = [3, 4, 5, 6].map((item) => queue.add(item));
  await turn();
  assert.equal(
    batches.map(({ items }) => items),
    [[1, 2]],
  );
  batches[0].finish();
  assert.equal(await Promise.all(first), [10, 20]);
  await turn();
  assert.equal(
    batches.map(({ items }) => items),
    [
      [1, 2],
      [3, 4, 5],
    ],
  );
  let idle = false;
  const end = queue.idle().then(() => (idle = true));
  batches[1].finish();
  await turn();
  assert.not(idle);
  batches[2].finish();
  assert.equal(await Promise.all(later), [30, 40, 50, 60]);
  await end;
  await queue.idle();
});

test('who goes away while waiting is taken out; a batch that is under way is finished', async () => {
  const { batches, work } = slowWorker();
  const queue = new BatchQueue(work, 2);
  const gone = new AbortController();
  const running = queue.add(1, gone.signal);
  await turn();
  const leaving = queue.add(2, gone.signal);
  const staying = queue.add(3);
  gone.abort(new Error('gone'));
  await leaving.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, 'gone'),
  );
  await queue.add(4, gone.signal).then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, 'gone'),
  );
  batches[0].finish();
  assert.is(await running, 10);
  await turn();
  assert.equal(batches[1].items, [3]);
  batches[1].finish();
  assert.is(await staying, 30);
});

test('a batch that fails fails for its items, and the next one runs', async () => {
  const { batches, work } = slowWorker();
  const queue = new BatchQueue(work, 1);
  const [failing, next] = [queue.add(1), queue.add(2)];
  await turn();
  batches[0].fail(new Error('no'));
  await failing.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, 'no'),
  );
  await turn();
  batches[1].finish();
  assert.is(await next, 20);
  await queue.idle();
});

test.run();
