import { test } from 'uvu';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import * as assert from 'uvu/assert';
import { WorkerThreads } from '../../src/platform/node/worker-threads.ts';

const threads = new WorkerThreads(new URL('../support/slow-thread.ts', import.meta.url), { base: 100 }, 1);
test.after(() => threads.close());

test('functions of a module run beside the event loop, made with its data', async () => {
  let turns = 0;
  const turning = setInterval(() => turns++, 5);
  assert.is(await threads.run('busy', { milliseconds: 200, value: 5 }), 105);
  clearInterval(turning);
  assert.ok(turns > 10, `${turns} turns of the event loop in 200 ms`);
});

test('what a function throws arrives by name and message, and the thread goes on', async () => {
  const error = await threads.run('fail', { message: 'wrong' }).catch((cause: Error) => cause);
  assert.equal([(error as Error).name, (error as Error).message], ['RangeError', 'wrong']);
  assert.is(await threads.run('busy', { milliseconds: 0, value: 1 }), 101);
});

test('who goes away while waiting is never served', async () => {
  const before = await threads.run<number>('calls', {});
  const first = threads.run('busy', { milliseconds: 100, value: 1 });
  const gone = new AbortController();
  const second = threads
    .run('busy', { milliseconds: 0, value: 2 }, { signal: gone.signal })
    .catch((cause: Error) => cause.name);
  gone.abort();
  assert.is(await second, 'AbortError');
  assert.is(await first, 101);
  assert.is(await threads.run('calls', {}), before + 1, 'the second was not run');
  assert.is(await threads.run('busy', {}, { signal: gone.signal }).catch((cause: Error) => cause.name), 'AbortError');
});

test('a thread that ends is an error of its task, and another takes over', async () => {
  const error = await threads.run('exit', {}).catch((cause: Error) => cause);
  assert.match((error as Error).message, /ended with code 3/);
  assert.is(await threads.run('busy', { milliseconds: 0, value: 2 }), 102);
});

test('a thread with nothing to do does not keep its process from ending, and one at work does, in any working folder', () => {
  const program = `
    const { WorkerThreads } = await import(${JSON.stringify(new URL('../../src/platform/node/worker-threads.ts', import.meta.url).href)});
    const threads = new WorkerThreads(new URL(${JSON.stringify(new URL('../support/slow-thread.ts', import.meta.url).href)}), { base: 100 }, 1);
    threads.run('busy', { milliseconds: 300, value: 7 }).then((value) => console.log(value));`;
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', program],
    { encoding: 'utf8', timeout: 60_000, cwd: tmpdir() },
  );
  assert.equal([status, stdout.trim()], [0, '107']);
});

test.run();
