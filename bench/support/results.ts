import type { Result } from './measure.ts';
import { median } from '../../src/benchmark/statistics.ts';

/** The results of each problem, in the order in which they came. */
export function byProblem(results: readonly Result[]): Map<string, Result[]> {
  const groups = new Map<string, Result[]>();
  for (const result of results) {
    const key = problemKey(result);
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  return groups;
}

export const problemKey = ({ kernel, problem }: Pick<Result, 'kernel' | 'problem'>): string => `${kernel} | ${problem}`;

/** The variant to show for a problem: the chosen one, or the fastest where a filter left the chosen one out. */
export function shown(results: readonly Result[]): Result | undefined {
  const measured = results
    .filter(({ samples }) => samples.length > 0)
    .sort((a, b) => median(a.samples) - median(b.samples));
  return measured.find(({ chosen }) => chosen) ?? measured[0];
}
