import type { Clock } from '../../src/benchmark/sampling.ts';

/**
 * What a sample of the bench counts: the clock, or the time that this process had a processor, all its threads together.
 * On a software adapter that is the work itself, whatever else runs on the machine.
 */
export type BenchClock = 'wall' | 'processor';

export const samplingClock = (clock: BenchClock = 'wall'): Clock => (clock === 'wall' ? clock : processorMilliseconds);

export function processorMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
