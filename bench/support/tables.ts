import { textTable } from '../../src/cli/display/text-table.ts';
import type { Ceilings } from '../../src/benchmark/ceilings.ts';
import type { Result } from './measure.ts';
import { shareOfBest } from './matrix-products.ts';
import { byProblem, shown } from './results.ts';
import { boundOf, rooflineOf } from '../../src/benchmark/roofline.ts';
import { halfSpread, median } from '../../src/benchmark/statistics.ts';

/** Three significant digits, without an exponent. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (value === 0) return '0';
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.max(0, 2 - magnitude));
}

const percent = (share: number): string => `${Math.round(100 * share)}%`;

export function ceilingsTable(ceilings: Ceilings): string {
  const { variants } = ceilings;
  return textTable(
    ['ceiling', 'measured', 'by'],
    [
      ['multiply-adds', `${digits(ceilings.gigaflops)} GFLOP/s`, variants.gigaflops],
      ['copying kernel, read + written', `${digits(ceilings.gigabytes)} GB/s`, variants.gigabytes],
      ['copyBufferToBuffer, read + written', `${digits(ceilings.bufferCopyGigabytes)} GB/s`, 'no shader'],
      ['reads of workgroup memory', `${digits(ceilings.workgroupGigabytes)} GB/s`, variants.workgroupGigabytes],
      ['one more dispatch in a pass', `${digits(1000 * ceilings.dispatch)} us`, ''],
      ['submit and wait', `${digits(1000 * ceilings.submitAndWait)} us`, ''],
    ],
  );
}

/**
 * A line for each problem: the chosen variant against the roofline and the best product, and the next best of the
 * others.
 */
export function kernelTables(results: readonly Result[], ceilings: Ceilings): string {
  const kernels = new Map<string, string[][]>();
  for (const group of byProblem(results).values()) {
    const { kernel } = group[0];
    const rows = kernels.get(kernel) ?? [];
    kernels.set(kernel, rows);
    const chosen = shown(group);
    if (chosen === undefined) continue;
    const time = median(chosen.samples);
    const others = group
      .filter((result) => result !== chosen && result.samples.length > 0)
      .sort((a, b) => median(a.samples) - median(b.samples));
    const next =
      others.length === 0 ? ['-', '-'] : [others[0].variant, `${(median(others[0].samples) / time).toFixed(2)} x`];
    const share = shareOfBest(chosen, results);
    rows.push([
      chosen.problem,
      ...figures(chosen, ceilings),
      ...(share === undefined ? [] : [percent(share)]),
      chosen.variant + (chosen.chosen ? '' : ' (not chosen)'),
      ...next,
    ]);
  }
  const head = ['shape', 'ms', '+-', 'GFLOP/s', 'GB/s', 'roofline', 'bound'];
  const rest = ['variant', 'next best', 'its time'];
  const products = new Set(
    results.filter((result) => shareOfBest(result, results) !== undefined).map(({ kernel }) => kernel),
  );
  return [...kernels]
    .filter(([, rows]) => rows.length > 0)
    .map(
      ([kernel, rows]) =>
        `${kernel}\n${textTable(products.has(kernel) ? [...head, 'of the best product', ...rest] : [...head, ...rest], rows)}`,
    )
    .join('\n\n');
}

/** A line for each variant, the fastest of a problem first; with `--variants`. */
export function variantTables(results: readonly Result[], ceilings: Ceilings): string {
  const head = ['variant', 'ms', '+-', 'GFLOP/s', 'GB/s', 'roofline', 'bound', 'samples', 'of the fastest'];
  return [...byProblem(results).values()]
    .map((group) => {
      const measured = group
        .filter(({ samples }) => samples.length > 0)
        .sort((a, b) => median(a.samples) - median(b.samples));
      if (measured.length === 0) return undefined;
      const rows = measured.map((result) => [
        result.variant + (result.chosen ? ' *' : ''),
        ...figures(result, ceilings),
        `${result.samples.length} of ${result.repeats}`,
        `${(median(result.samples) / median(measured[0].samples)).toFixed(2)} x`,
      ]);
      return `${group[0].kernel}: ${group[0].problem}\n${textTable(head, rows)}`;
    })
    .filter((table) => table !== undefined)
    .join('\n\n');
}

/** Time, spread, rates, share of the roofline, bound. */
export function figures({ samples, flop, bytes, dispatches }: Result, ceilings: Ceilings): string[] {
  const time = median(samples);
  const roofline = rooflineOf({ flop, bytes }, dispatches, ceilings);
  return [
    digits(time),
    digits(halfSpread(samples)),
    flop === 0 ? '-' : digits(flop / time / 1e6),
    digits(bytes / time / 1e6),
    percent(roofline.milliseconds / time),
    boundOf(time, { flop, bytes }, dispatches, ceilings),
  ];
}

/**
 * Which of the results that a program takes are above the roofline, and what that may mean; empty where none is. A
 * share far above 100 % says that the ceiling is none: it was measured while something else ran, or the kernel's
 * account of its work is wrong.
 */
export function rooflineWarning(results: readonly Result[], ceilings: Ceilings): string {
  const above = [...byProblem(results).values()].flatMap((group) => {
    const result = shown(group);
    if (result === undefined) return [];
    const share = rooflineOf(result, result.dispatches, ceilings).milliseconds / median(result.samples);
    return Math.round(100 * share) > 100
      ? [{ share, name: `${result.kernel}: ${result.problem} (${percent(share)})` }]
      : [];
  });
  if (above.length === 0) return '';
  const list = above
    .sort((a, b) => b.share - a.share)
    .map(({ name }) => `  ${name}`)
    .join('\n');
  return `WARNING: ${above.length} of the lines are above 100 % of the roofline. Operands that stay in caches and algorithms that save operations (Winograd) explain some; otherwise a ceiling was measured too low, as on a busy machine: measure again when it is idle.\n${list}`;
}

export function failureList(results: readonly Result[]): string {
  return results
    .filter(({ failure }) => failure !== undefined)
    .map(({ kernel, problem, variant, failure }) => `${kernel}, ${problem}, ${variant}: ${failure}`)
    .join('\n');
}
