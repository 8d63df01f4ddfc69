/// What a visitor's run measured, as the page gives it to be shared.
import { boundOf, type Bound, type RooflineCeilings } from '../../src/benchmark/roofline.ts';
import type { MeasuredCeilings } from '../../src/benchmark/wgsl/result.ts';
import { halfSpread, median } from '../../src/benchmark/statistics.ts';
import { tuningKey, type TuningProblem } from '../../src/autodiff/variant-selector.ts';
import type { AdapterDescription, Device } from '../../src/gpu/device.ts';
import { codeDigest, Digests } from '../../src/tuning/digests.ts';
import { emptyRecords } from '../../src/tuning/records.ts';
import { tableOf, type TuningTable } from '../../src/tuning/tables.ts';
import { fastest } from '../../src/tuning/tuner.ts';
import type { Result } from '../../bench/support/measure.ts';
import type { Work } from '../../bench/support/kernel-bench.ts';

export const REPORT_FORMAT = 'sketchgrad adapter report';
export const REPORT_VERSION = 1;

/** A variant of a kernel on a problem. Milliseconds, and 1e9 a second. */
export interface ReportedKernel {
  readonly kernel: string;
  readonly problem: string;
  readonly variant: string;
  /** Whether a program takes this variant on such an adapter. */
  readonly chosen: boolean;
  readonly median?: number;
  readonly spread?: number;
  readonly samples: number;
  readonly gigaflops?: number;
  readonly gigabytes?: number;
  readonly bound?: Bound;
  /** Why it has no time: it does not compile, or computes wrong numbers. */
  readonly failure?: string;
}

export interface AdapterReport {
  readonly format: typeof REPORT_FORMAT;
  readonly version: typeof REPORT_VERSION;
  readonly date: string;
  readonly userAgent: string;
  /** As the browser tells it; most leave device and description empty. */
  readonly adapter: AdapterDescription;
  /** The graphics card by the visitor's own words. */
  readonly card: string;
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
  readonly clock: 'device' | 'wall';
  readonly work: Work;
  /** Whether all kernels of the suite were timed: a run may be stopped. */
  readonly complete: boolean;
  readonly ceilings: MeasuredCeilings;
  readonly kernels: readonly ReportedKernel[];
  /** The same as choices of variants, for src/tuning/known-adapters.json. */
  readonly table: TuningTable;
}

export function reported(
  { kernel, problem, variant, chosen, flop, bytes, dispatches, samples, failure }: Result,
  ceilings: RooflineCeilings,
): ReportedKernel {
  const about = { kernel, problem, variant, chosen, samples: samples.length };
  if (samples.length === 0) return { ...about, ...(failure !== undefined && { failure }) };
  const time = median(samples);
  return {
    ...about,
    median: time,
    spread: halfSpread(samples),
    ...(flop > 0 && { gigaflops: flop / time / 1e6 }),
    gigabytes: bytes / time / 1e6,
    bound: boundOf(time, { flop, bytes }, dispatches, ceilings),
  };
}

/** A problem with what was measured of its variants. */
export interface MeasuredProblem {
  readonly tuningProblem: TuningProblem;
  readonly results: readonly Result[];
}

/** The choices that a tuner would make of these samples: another variant than the preferred one only where it is clearly faster. */
export async function choicesOf(
  device: Device,
  measured: readonly MeasuredProblem[],
  date: string,
): Promise<TuningTable> {
  const records = emptyRecords('');
  const digests = new Digests();
  for (const { tuningProblem, results } of measured) {
    const times = tuningProblem.calls.map(({ variant }) => {
      const samples = results.find((result) => result.variant === variant)?.samples ?? [];
      return samples.length === 0 ? undefined : { median: median(samples), spread: halfSpread(samples) };
    });
    // With one right variant there was no choice.
    if (times.filter((time) => time !== undefined).length < 2) continue;
    const milliseconds = Object.fromEntries(
      tuningProblem.calls.flatMap(({ variant }, index) => {
        const time = times[index];
        return time === undefined ? [] : [[variant, time.median]];
      }),
    );
    records.choices.set(tuningKey(tuningProblem), {
      variant: tuningProblem.calls[fastest(times)].variant,
      code: await codeDigest(tuningProblem.calls, digests),
      effort: 'quick',
      milliseconds,
    });
  }
  return tableOf(
    device,
    measured.map(({ tuningProblem }) => tuningProblem),
    records,
    date,
  );
}
