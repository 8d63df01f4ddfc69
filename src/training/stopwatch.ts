import type { RunTimes } from './log.ts';

/** Steps over which the rate of images is averaged. */
const RATE_WINDOW = 10;

/** Adds up the time between laps under a name each. */
export class Stopwatch {
  readonly seconds: { -readonly [name in keyof RunTimes]: number } = {
    preparation: 0,
    steps: 0,
    validation: 0,
    checkpoints: 0,
  };
  private since = performance.now();

  lap(name: keyof RunTimes): void {
    const now = performance.now();
    this.seconds[name] += (now - this.since) / 1000;
    this.since = now;
  }
}

/** Images a second over the last steps. */
export class Rate {
  private readonly batchSize: number;
  private times: number[] = [];

  constructor(batchSize: number) {
    this.batchSize = batchSize;
  }

  /** Leaves out the time since the last step, in which other things were done. */
  restart(): void {
    this.times = [performance.now()];
  }

  next(): number {
    this.times = [...this.times.slice(-RATE_WINDOW), performance.now()];
    return ((this.times.length - 1) * this.batchSize * 1000) / (this.times[this.times.length - 1] - this.times[0]);
  }
}
