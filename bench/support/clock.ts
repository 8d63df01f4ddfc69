import type { Clock } from '../../src/benchmark/sampling.ts';

/**
 * What a sample of the bench counts: the clock, or the time that this process had a processor, all its threads together.
 * On a software adapter that is the work itself, whatever else runs on the machine. Or the device's own timestamps.
 */
export type BenchClock = 'wall' | 'device' | 'processor';

export const samplingClock = (clock: BenchClock = 'wall'): Clock =>
  clock === 'processor' ? processorMilliseconds : clock;

export function processorMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
