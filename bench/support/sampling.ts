import { Bench } from 'tinybench';

/** One of several ways to do the same work. */
export interface Contender {
  readonly name: string;
  /** Does the work this many times and resolves when it is done. */
  run(times: number): Promise<void>;
}

export interface Sampled {
  readonly name: string;
  /** Repetitions of the work in each sample. */
  readonly repeats: number;
  /** Milliseconds of one repetition, in the order in which they were taken. */
  readonly samples: readonly number[];
}

/**
 * What a sample counts: the clock, or the time that this process had a processor, all its threads together. On a
 * software adapter that is the work itself, whatever else runs on the machine.
 */
export type Clock = 'wall' | 'processor';

export interface SamplingOptions {
  /** Milliseconds for all contenders together; those in the running get the least number of samples all the same. */
  readonly budget: number;
  readonly maxRounds?: number;
  readonly clock?: Clock;
  /**
   * Milliseconds of work before the first sample: a GPU that was idle lowers its clock, and the first contender would
   * pay for its rise.
   */
  readonly warmUp?: number;
  /** Slow contenders keep their turns. */
  readonly keepAll?: boolean;
}

/**
 * A sample takes at least this long, so that neither the clock (65 us steps where a browser protects it) nor the
 * submission counts.
 */
const SAMPLE_MILLISECONDS = 20;
const LEAST_ROUNDS = 3;
const MOST_ROUNDS = 30;
/**
 * Who is this many times slower than the fastest needs no more samples to be told apart: after one round, and after the
 * least.
 */
const HOPELESS_AT_ONCE = 3;
const HOPELESS = 1.5;

/**
 * Times contenders alternately, one sample each in a round, forwards and backwards (A B C, C B A, ...), so that what slows
 * the machine for a while slows all of them and a drift favours none.
 */
export async function sampleAlternating(
  contenders: readonly Contender[],
  { budget, maxRounds = MOST_ROUNDS, clock = 'wall', warmUp = 0, keepAll = false }: SamplingOptions,
): Promise<Sampled[]> {
  // tinybench times; rounds are ours, since it would run all iterations of one task before the next.
  const bench = new Bench({ iterations: 1, time: 0, warmup: false, retainSamples: true });
  const entries = [];
  const warm = performance.now() + warmUp;
  while (performance.now() < warm) await contenders[0]?.run(1);
  for (const { name, run } of contenders) {
    const start = performance.now();
    await run(1);
    const repeats = Math.max(1, Math.ceil(SAMPLE_MILLISECONDS / Math.max(performance.now() - start, 0.01)));
    // `async` says so to tinybench, which would otherwise run it once to find out.
    bench.add(name, clock === 'wall' ? () => run(repeats) : () => processorTime(() => run(repeats)), { async: true });
    entries.push({ name, repeats, samples: [] as number[], task: bench.tasks[bench.tasks.length - 1] });
  }
  const end = performance.now() + budget;
  let hopeful = [...entries];
  for (let round = 0; round < maxRounds; round++) {
    if (round >= LEAST_ROUNDS && performance.now() >= end) break;
    // Where a clock has to rise, the first round may still be of a low one.
    if (round > (warmUp > 0 ? 1 : 0) && !keepAll) {
      const factor = round < LEAST_ROUNDS ? HOPELESS_AT_ONCE : HOPELESS;
      const best = Math.min(...hopeful.map(({ samples }) => Math.max(...samples)));
      hopeful = hopeful.filter(({ samples }) => Math.min(...samples) <= factor * best);
    }
    for (const { name, task, samples, repeats } of round % 2 === 0 ? hopeful : [...hopeful].reverse()) {
      task.reset();
      const { result } = await task.run();
      if (!('latency' in result) || result.latency.samples === undefined) {
        throw new Error(`${name}: ${'error' in result ? String(result.error) : result.state}`);
      }
      samples.push(result.latency.samples[0] / repeats);
    }
  }
  return entries.map(({ name, repeats, samples }) => ({ name, repeats, samples }));
}

/** In the form in which a tinybench task gives a duration of its own measuring. */
async function processorTime(work: () => Promise<void>): Promise<{ overriddenDuration: number }> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { overriddenDuration: (user + system) / 1000 };
}
