import { textTable } from '../../src/cli/display/text-table.ts';
import type { Report } from './report.ts';
import type { Result } from './measure.ts';
import { median, ratioOf, type RatioEstimate } from '../../src/benchmark/statistics.ts';
import { byProblem, problemKey, shown } from './results.ts';
import { digits } from './tables.ts';

/** How a problem's time changed from one report to another. */
export interface Change extends RatioEstimate {
  readonly kernel: string;
  readonly problem: string;
  readonly variant: string;
  /** The old report's variant, where it chose another. */
  readonly oldVariant: string;
  readonly before: number;
  readonly after: number;
  readonly verdict: 'faster' | 'slower' | 'unclear';
  /** What would have been marked, had the ceilings not moved as much. */
  readonly hint?: 'faster' | 'slower';
}

/** Changes below this are not worth a mark even where they are certain. */
const LEAST_CHANGE = 0.02;
const CONFIDENCE = 0.99;

/**
 * Problem by problem, the variant that a program takes then and now. A change is marked only where its whole confidence
 * interval lies beyond `tolerance`: two runs see two states of the machine, and no statistics over one run's samples
 * know of the other's. What the ceilings moved is a measure of that (see `drift`); `--against` measures both in one run
 * instead.
 */
export function compareResults(before: readonly Result[], after: readonly Result[], tolerance: number): Change[] {
  const old = byProblem(before);
  const changes: Change[] = [];
  for (const group of byProblem(after).values()) {
    const now = shown(group);
    const then = shown(old.get(problemKey(group[0])) ?? []);
    if (now === undefined || then === undefined) continue;
    const estimate = ratioOf(now.samples, then.samples, CONFIDENCE);
    const beyond = (margin: number): Change['verdict'] =>
      estimate.high < 1 / (1 + margin) ? 'faster' : estimate.low > 1 + margin ? 'slower' : 'unclear';
    const [verdict, hint] = [beyond(Math.max(tolerance, LEAST_CHANGE)), beyond(LEAST_CHANGE)];
    changes.push({
      ...estimate,
      kernel: now.kernel,
      problem: now.problem,
      variant: now.variant,
      oldVariant: then.variant,
      before: median(then.samples),
      after: median(now.samples),
      verdict,
      ...(verdict === 'unclear' && hint !== 'unclear' && { hint }),
    });
  }
  return changes;
}

const CEILINGS = [
  ['gigaflops', 'multiply-adds', 'GFLOP/s'],
  ['gigabytes', 'copying kernel', 'GB/s'],
  ['bufferCopyGigabytes', 'copyBufferToBuffer', 'GB/s'],
] as const;

/** How far the machine itself moved between two reports: the largest relative difference of their ceilings. */
export function drift(before: Report, after: Report): number {
  const ratios = CEILINGS.map(([key]) => after.ceilings[key] / before.ceilings[key]);
  return Math.max(...ratios.map((ratio) => Math.max(ratio, 1 / ratio) - 1));
}

/** Ceilings that differ by more are another state of the machine. */
const STEADY = 0.05;

/** What to say of ceilings that moved between two reports; empty where they are steady. */
export function driftWarning(before: Report, after: Report): string {
  const moved = CEILINGS.map(([key, name, unit]) => ({
    name,
    unit,
    old: before.ceilings[key],
    now: after.ceilings[key],
  })).filter(({ old, now }) => Math.max(old / now, now / old) - 1 > STEADY);
  if (moved.length === 0) return '';
  const list = moved.map(
    ({ name, unit, old, now }) =>
      `${name} ${digits(old)} -> ${digits(now)} ${unit} (${now > old ? '+' : ''}${((100 * now) / old - 100).toFixed(0)} %)`,
  );
  return `WARNING: the ceilings moved: ${list.join(', ')}. The machine was in another state, and a mark with "?" may be its doing. Measure both on an idle machine, or in one run with --against.`;
}

/** @throws Error where the reports are of different adapters or work, which no ratio makes sense of */
export function checkComparable(before: Report, after: Report, file: string): void {
  const adapter = (report: Report): string => `${report.adapter.device} ${report.adapter.description}`;
  if (adapter(before) !== adapter(after))
    throw new Error(`--compare ${file}: measured on ${adapter(before)}, this run is on ${adapter(after)}`);
  const work = ({ work, clock }: Report): string =>
    `--batch ${work.batch} --size ${work.size}${clock === 'processor' ? ' --processor-time' : ''}`;
  if (work(before) !== work(after))
    throw new Error(`--compare ${file}: measured with ${work(before)}, this run has ${work(after)}`);
}

const MARKS = { faster: 'faster', slower: 'SLOWER', unclear: '' } as const;

export function changesTable(changes: readonly Change[]): string {
  const rows = changes.map(
    ({ kernel, problem, variant, oldVariant, before, after, ratio, low, high, verdict, hint }) => [
      `${kernel}: ${problem}`,
      variant === oldVariant ? variant : `${oldVariant} -> ${variant}`,
      digits(before),
      digits(after),
      ratio.toFixed(3),
      high === Infinity ? 'too few samples' : `${low.toFixed(3)} - ${high.toFixed(3)}`,
      hint === undefined ? MARKS[verdict] : `${MARKS[hint]}?`,
    ],
  );
  return textTable(['', 'variant', 'ms before', 'ms after', 'ratio', '99% interval', ''], rows, { left: 2 });
}

export function summary(changes: readonly Change[]): string {
  const count = (verdict: Change['verdict']): number => changes.filter((change) => change.verdict === verdict).length;
  const mean = Math.exp(changes.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / changes.length);
  return `${count('faster')} faster, ${count('slower')} slower, ${count('unclear')} within the noise; geometric mean of the ratios ${mean.toFixed(3)}`;
}
