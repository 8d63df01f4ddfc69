import type { Choices } from '../../src/autodiff/variant-selector.ts';
import type { Device } from '../../src/gpu/device.ts';
import type { FloatType } from '../../kernels/contract/element-types.ts';
import type { StorageType } from '../../kernels/contract/storage-type.ts';
import { chosenVariant, tuningProblemOf, type Entry } from './entries.ts';
import { prepareProblem } from './kernel-bench.ts';
import type { Product } from './product.ts';
import { sampleAlternating } from '../../src/benchmark/sampling.ts';
import { samplingClock, type BenchClock } from './clock.ts';

/** All that was measured of one variant on one problem; what tables show is derived from it. */
export interface Result {
  readonly kernel: string;
  readonly problem: string;
  readonly variant: string;
  /** Whether a program takes this variant. */
  readonly chosen: boolean;
  /** The kernel's own account of its work. */
  readonly flop: number;
  readonly bytes: number;
  readonly dispatches: number;
  /** Of GEMM-shaped kernels. */
  readonly product?: Product;
  /** As what a product is stored, where not as f32. */
  readonly type?: FloatType;
  /** Runs in each sample. */
  readonly repeats: number;
  /** Milliseconds of one run; empty where the variant failed. */
  readonly samples: readonly number[];
  /** What the device said to a variant that does not compile or run. */
  readonly failure?: string;
}

/** Milliseconds until a GPU that was idle has its full clock. */
const GPU_WARM_UP = 400;

export interface MeasureOptions {
  /** A tuner's; otherwise a program takes what each kernel prefers. */
  readonly choices?: Choices;
  /** Part of a variant's name. */
  readonly variant?: string;
  readonly maxRounds?: number;
  readonly clock?: BenchClock;
  /** Slow variants are timed as often as fast ones. */
  readonly keepAll?: boolean;
  /** Seconds for the whole run. Every problem gets its few rounds all the same. */
  readonly seconds: number;
  readonly onProgress?: (done: number, total: number, entry: Entry, results: readonly Result[]) => void;
}

/** More than this adds nothing to what a problem's medians say. */
const MOST_MILLISECONDS_A_PROBLEM = 4000;

/** Times every variant of every problem, alternating between the variants of a problem. */
export async function measure(
  device: Device,
  entries: readonly Entry[],
  { choices, variant: part, maxRounds, clock, keepAll, seconds, onProgress }: MeasureOptions,
): Promise<Result[]> {
  const end = performance.now() + 1000 * seconds;
  const results: Result[] = [];
  for (const [index, entry] of entries.entries()) {
    const {
      bench: { kernel, product },
      problem,
    } = entry;
    const tuningProblem = tuningProblemOf(entry, device.traits);
    if (tuningProblem === undefined) continue;
    const chosen = chosenVariant(tuningProblem, choices).variant;
    const calls = tuningProblem.calls.filter(({ variant }) => part === undefined || variant.includes(part));
    if (calls.length === 0) continue;
    const { flop, bytes } = kernel.cost(problem);
    const { type } = problem as StorageType;
    const about = (
      variant: string,
    ): Pick<Result, 'kernel' | 'problem' | 'variant' | 'chosen' | 'flop' | 'bytes' | 'product' | 'type'> => ({
      kernel: kernel.name,
      problem: entry.problemName,
      variant,
      chosen: variant === chosen,
      flop,
      bytes,
      ...(product && { product: product(problem) }),
      ...(type && { type }),
    });
    const prepared = await prepareProblem(device, kernel, problem, calls);
    const found: Result[] = prepared.failures.map(({ variant, message }) => ({
      ...about(variant),
      dispatches: 0,
      repeats: 0,
      samples: [],
      failure: message,
    }));
    try {
      const budget = Math.min(
        MOST_MILLISECONDS_A_PROBLEM,
        Math.max(0, end - performance.now()) / (entries.length - index),
      );
      const sampled = await sampleAlternating(
        prepared.variants.map(({ variant, run }) => ({ name: variant, run })),
        {
          budget,
          maxRounds,
          clock: samplingClock(clock),
          keepAll,
          warmUp: device.traits.kind === 'gpu' ? GPU_WARM_UP : 0,
        },
      );
      sampled.forEach(({ name, repeats, samples }, place) =>
        found.push({
          ...about(name),
          dispatches: prepared.variants[place].dispatches,
          repeats,
          samples: samples.map(rounded),
        }),
      );
    } finally {
      prepared.destroy();
    }
    results.push(...found);
    onProgress?.(index + 1, entries.length, entry, found);
  }
  if (results.length === 0)
    throw new RangeError(
      part === undefined
        ? 'this adapter has no variant of the requested problem'
        : `no variant's name contains ${part}`,
    );
  return results;
}

/** Five digits are more than a clock gives, and keep the file short. */
const rounded = (milliseconds: number): number => Number(milliseconds.toPrecision(5));
