import type { Device } from './device.ts';

/**
 * Measures for how much of some time the device had work: from each submission until the queue is empty again, as
 * `onSubmittedWorkDone` says. Between two of them the device waited for the host.
 */
export class Occupancy {
  private readonly device: Device;
  private unfinished = 0;
  private since = 0;
  private busyTime = 0;

  constructor(device: Device) {
    this.device = device;
  }

  /** Call right after each submission. */
  submitted(): void {
    if (this.unfinished++ === 0) this.since = performance.now();
    const done = (): void => {
      if (--this.unfinished === 0) this.busyTime += performance.now() - this.since;
    };
    // A lost device ends its work too; who waits for the results hears of it.
    this.device.gpu.queue.onSubmittedWorkDone().then(done, done);
  }

  /** Milliseconds with work so far. */
  get busy(): number {
    return this.busyTime + (this.unfinished > 0 ? performance.now() - this.since : 0);
  }
}
