import { Bench, type Task } from 'tinybench';
import { repeatsOfSample } from './repeats.ts';

/** One of several ways to do the same work. */
export interface Contender {
  readonly name: string;
  /**
   * Does the work this many times and resolves when it is done.
   * @returns milliseconds by the device's own clock, where it has one
   */
  run(times: number): Promise<number | void>;
}

/** What was measured of a contender. */
export interface Sampled {
  readonly name: string;
  /** Repetitions of the work in each sample. */
  readonly repeats: number;
  /** Milliseconds of one repetition, in the order in which they were taken. */
  readonly samples: readonly number[];
}

/**
 * What a sample counts: the host's clock from the submission until the host knows that the work is done; the device's
 * own timestamps, which leave the submission out; or another clock, in milliseconds, that is read before and after.
 */
export type Clock = 'wall' | 'device' | (() => number);

/** How contenders are sampled. */
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

const LEAST_ROUNDS = 3;
const MOST_ROUNDS = 30;
/**
 * A contender this many times slower than the fastest needs no more samples: after one round, and after the least
 * number of rounds.
 */
const HOPELESS_AT_ONCE = 3;
const HOPELESS = 1.5;

/**
 * Times contenders alternately, one sample each in a round, forwards and backwards (A B C, C B A, ...), so that what slows
 * the machine for a while slows all of them and a drift favours none.
 * @throws Error with the name of a contender that fails
 */
export async function sampleAlternating(
  contenders: readonly Contender[],
  { budget, maxRounds = MOST_ROUNDS, clock = 'wall', warmUp = 0, keepAll = false }: SamplingOptions,
): Promise<Sampled[]> {
  const warm = performance.now() + warmUp;
  while (performance.now() < warm) await contenders[0]?.run(1);
  // tinybench runs the samples and reports what fails; rounds are ours, since it would take all samples of one task before the next.
  const bench = new Bench({ iterations: 1, time: 0, warmup: false, retainSamples: true });
  const entries: { name: string; task: Task; repeats: number; samples: number[] }[] = [];
  for (const contender of contenders) {
    const { name } = contender;
    const repeats = await repetitions(contender, clock);
    // `async` says so to tinybench, which would otherwise run it once to find out.
    bench.add(name, async () => ({ overriddenDuration: await timed(contender, repeats, clock) }), { async: true });
    entries.push({ name, task: bench.tasks[bench.tasks.length - 1], repeats, samples: [] });
  }
  const end = performance.now() + budget;
  let hopeful = entries;
  for (let round = 0; round < maxRounds; round++) {
    if (round >= LEAST_ROUNDS && performance.now() >= end) break;
    // Where a clock has to rise, the first round may still be of a low one.
    if (round > (warmUp > 0 ? 1 : 0) && !keepAll) {
      const factor = round < LEAST_ROUNDS ? HOPELESS_AT_ONCE : HOPELESS;
      const best = Math.min(...hopeful.map(({ samples }) => Math.max(...samples)));
      hopeful = hopeful.filter(({ samples }) => Math.min(...samples) <= factor * best);
    }
    for (const { task, repeats, samples } of round % 2 === 0 ? hopeful : [...hopeful].reverse())
      samples.push((await durationOf(task)) / repeats);
  }
  return entries.map(({ name, repeats, samples }) => ({ name, repeats, samples }));
}

/** Takes one sample of a task, in milliseconds. */
async function durationOf(task: Task): Promise<number> {
  task.reset();
  const { result } = await task.run();
  if (result.state === 'errored') throw result.error;
  if (!('latency' in result) || result.latency.samples === undefined)
    throw new Error(`${task.name} gave no sample: ${result.state}`);
  return result.latency.samples[0];
}

/** How many repetitions of a contender fill a sample. */
function repetitions(contender: Contender, clock: Clock): Promise<number> {
  // Another clock may stand still while the contender waits; the length of a sample is the host's to bear.
  const measure = clock === 'device' ? clock : 'wall';
  return repeatsOfSample((times) => timed(contender, times, measure));
}

async function timed({ name, run }: Contender, times: number, clock: Clock): Promise<number> {
  const read = typeof clock === 'function' ? clock : () => performance.now();
  try {
    const start = read();
    const byDevice = await run(times);
    return clock === 'device' && typeof byDevice === 'number' ? byDevice : read() - start;
  } catch (cause) {
    throw new Error(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
