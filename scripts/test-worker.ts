// A process of scripts/test.ts: runs the suites that it is sent, one after the other, and reports on each.
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { format } from 'node:util';
import { closeTestDevice, testDevice } from '../test/support/device.ts';

/** What the runner sends: a suite to run, by its absolute path, or the end. */
export type Order = { readonly run: string } | 'end';

/** What a worker sends back. */
export type Report =
  /** A line that a suite printed, such as a table of measured errors. */
  | { readonly kind: 'output'; readonly text: string }
  | {
      readonly kind: 'done';
      readonly passed: number;
      readonly failed: number;
      readonly failures: readonly string[];
      readonly milliseconds: number;
      readonly cpuMilliseconds: number;
    }
  /** The device is closed; only a leak keeps the process from here on. */
  | { readonly kind: 'closed' };

/**
 * What uvu queues: errors as text (or true where there are none), then how many tests passed, were skipped, and are
 * there.
 */
type QueuedSuite = () => Promise<[string | true, number, number, number]>;

const queue: QueuedSuite[] = [];
// uvu reads both when it is loaded: tests then wait in the queue until somebody runs them.
Object.assign(globalThis, { UVU_DEFER: 1, UVU_QUEUE: [queue] });

const send = (report: Report): void => void process.send?.(report);
// uvu writes its dots to stdout, which is ignored; the output of a suite goes to the runner.
console.log = (...values) => send({ kind: 'output', text: format(...values) });

if (process.env.SKETCHGRAD_TEST_NAME !== undefined) register(new URL('./uvu-by-name.mjs', import.meta.url));

process.on('message', (order: Order) => {
  if (order === 'end') void end();
  else void run(order.run).then(send);
});
const expectedDevice = process.argv[2];
if (expectedDevice !== undefined) {
  const { description } = await testDevice();
  const found = Object.values(description).join(' ');
  if (!new RegExp(expectedDevice, 'i').test(found))
    throw new Error(`this process should test ${expectedDevice}, but its adapter is ${found}`);
}

async function run(file: string): Promise<Report> {
  const start = performance.now();
  const cpuBefore = cpuMilliseconds();
  const failures: string[] = [];
  let passed = 0;
  let total = 0;
  try {
    await import(file);
    const suites = queue.splice(0);
    // All files of a process share uvu's `test`: what a file forgot to run would count for the next one.
    const { test } = await import('uvu');
    test.run();
    const [forgotten] = queue.splice(0);
    for (const suite of suites) {
      const [errors, ran, skipped, count] = await suite();
      passed += ran;
      total += count + skipped;
      if (errors !== true) failures.push(errors);
      // uvu swallows what a `before` hook throws.
      else if (ran < count) failures.push(`  a hook failed: ${count - ran} of ${count} tests did not run`);
      if (skipped > 0) failures.push(`  ${skipped} tests are skipped`);
    }
    const [, , , left] = await forgotten();
    if (left > 0) {
      total += left;
      failures.push(`  ${left} tests follow the last test.run(), or there is none`);
    }
  } catch (error) {
    total++;
    failures.push(`  ${error instanceof Error ? error.stack : String(error)}`);
  }
  // Where tests are selected by name, a suite may have none of them.
  if (total === 0 && process.env.SKETCHGRAD_TEST_NAME === undefined) {
    total = 1;
    failures.push('  no test ran');
  }
  return {
    kind: 'done',
    passed,
    failed: total - passed,
    failures,
    milliseconds: performance.now() - start,
    cpuMilliseconds: cpuMilliseconds() - cpuBefore,
  };
}

/**
 * What this process has taken of processors; on Linux with the commands that it ran. The processes of a browser are not
 * among its children.
 */
function cpuMilliseconds(): number {
  if (process.platform !== 'linux') {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
  // Behind the program's name, which is in brackets and may have any characters: utime, stime, cutime and cstime, in
  // hundredths of a second.
  const text = readFileSync('/proc/self/stat', 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + 10 * Number(ticks), 0);
}

async function end(): Promise<void> {
  await closeTestDevice();
  send({ kind: 'closed' });
  process.disconnect();
}
