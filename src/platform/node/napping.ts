/**
 * Dawn's Node binding asks for finished work in every turn of the event loop, and the loop turns without a pause while
 * there is some to come. That takes a whole core: nothing to a GPU, but half of what a software adapter has on two
 * cores (docs/performance.md has figures). So while the host waits for such an adapter, each turn sleeps a little.
 */

/** Milliseconds: short against a step, long against a look at the queue. */
const NAP = 0.5;

const neverNotified = new Int32Array(new SharedArrayBuffer(4));
let waits = 0;
/** Whether a nap is scheduled in this or the next iteration of the event loop: one an iteration, however many wait. */
let due = false;

/** Passes a promise of the device's work on, and slows the event loop down until it is settled. */
export async function napUntil<Result>(work: Promise<Result>): Promise<Result> {
  waits++;
  scheduleNap();
  try {
    return await work;
  } finally {
    waits--;
  }
}

function scheduleNap(): void {
  if (due || waits === 0) return;
  due = true;
  setImmediate(() => {
    due = false;
    if (waits > 0) Atomics.wait(neverNotified, 0, 0, NAP);
    scheduleNap();
  });
}
