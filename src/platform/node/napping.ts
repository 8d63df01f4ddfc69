/**
 * Dawn's Node binding asks for finished work in every turn of the event loop, and the loop turns without a pause while
 * there is some to come. That takes a whole core: nothing to a GPU, but half of what a software adapter has on two cores
 * (docs/performance.md has figures). So while the host waits for such an adapter, each turn sleeps a little.
 */

/** Milliseconds: short against a step, long against a look at the queue. */
const NAP = 0.5;

const neverNotified = new Int32Array(new SharedArrayBuffer(4));
let waits = 0;

/** Passes a promise of the device's work on, and slows the event loop down until it is settled. */
export async function napUntil<Result>(work: Promise<Result>): Promise<Result> {
  if (waits++ === 0) setImmediate(nap);
  try {
    return await work;
  } finally {
    waits--;
  }
}

function nap(): void {
  if (waits === 0) return;
  Atomics.wait(neverNotified, 0, 0, NAP);
  setImmediate(nap);
}
