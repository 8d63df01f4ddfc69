// A thread for test/platform/worker-threads.test.ts.
import { workerData } from 'node:worker_threads';
import { serveTasks } from '../../src/platform/node/serve-tasks.ts';

let calls = 0;
const done = (output: unknown): { output: unknown; transfer: [] } => ({ output, transfer: [] });

serveTasks({
  busy({ milliseconds, value }: { milliseconds: number; value: number }) {
    calls++;
    for (const start = performance.now(); performance.now() - start < milliseconds;);
    return done((workerData as { base: number }).base + value);
  },
  calls: () => done(calls),
  fail({ message }: { message: string }): never {
    throw new RangeError(message);
  },
  exit: () => process.exit(3),
});
