import type { Entry } from './entries.ts';
import type { Result } from './measure.ts';
import { median } from '../../src/benchmark/statistics.ts';
import { shown } from './results.ts';
import { digits } from './tables.ts';

/**
 * One line on standard error for each problem that is done, so that a run shows where it is and its output stays clean.
 */
export function progressLine(
  done: number,
  total: number,
  { name, problemName }: Entry,
  results: readonly Result[],
): void {
  const best = shown(results);
  console.error(
    `[${done}/${total}] ${name}: ${problemName}${best === undefined ? ' failed' : ` ${digits(median(best.samples))} ms`}`,
  );
}
