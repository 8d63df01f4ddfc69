import type { FloatType } from '../../kernels/contract/element-types.ts';
import type { Ceilings } from '../../src/benchmark/ceilings.ts';
import type { Result } from './measure.ts';
import { byProblem, shown } from './results.ts';
import { boundOf, rooflineOf } from '../../src/benchmark/roofline.ts';
import { median } from '../../src/benchmark/statistics.ts';

/** The share of the best product's rate from which a GEMM-shaped kernel counts as good. */
export const WANTED_SHARE = 0.7;

/**
 * The fastest plain product of matrices of a run, by whichever variant: what the hardware gives to a product through
 * our kernels.
 */
export interface BestProduct {
  readonly gigaflops: number;
  readonly result: Result;
}

const rateOf = ({ flop, samples }: Result): number => flop / median(samples) / 1e6;

const typeOf = ({ type }: Result): FloatType => type ?? 'f32';

/**
 * undefined where no plain product of that type was measured: products of 16-bit and 32-bit floats are no measure of
 * one another.
 */
export function bestProduct(results: readonly Result[], type: FloatType): BestProduct | undefined {
  let best: BestProduct | undefined;
  for (const result of results) {
    if (result.product !== 'plain' || typeOf(result) !== type || result.samples.length === 0) continue;
    const gigaflops = rateOf(result);
    if (best === undefined || gigaflops > best.gigaflops) best = { gigaflops, result };
  }
  return best;
}

/** A result's rate in terms of that of the best product of its type; undefined of what is no product. */
export function shareOfBest(result: Result, results: readonly Result[]): number | undefined {
  if (result.product === undefined) return undefined;
  const best = bestProduct(results, typeOf(result));
  return best && rateOf(result) / best.gigaflops;
}

/** For each type two sentences on all GEMM-shaped problems that were measured; empty where there are none. */
export function productSummary(results: readonly Result[], ceilings: Ceilings): string {
  return (['f32', 'f16'] as const).flatMap((type) => summaryOf(type, results, ceilings) ?? []).join('\n\n');
}

function summaryOf(type: FloatType, results: readonly Result[], ceilings: Ceilings): string | undefined {
  const best = bestProduct(results, type);
  if (best === undefined) return undefined;
  const chosen = [...byProblem(results).values()].flatMap((group) => {
    const result = shown(group);
    return result?.product === undefined || typeOf(result) !== type
      ? []
      : [{ result, share: rateOf(result) / best.gigaflops }];
  });
  const below = chosen.filter(({ share }) => share < WANTED_SHARE).sort((a, b) => a.share - b.share);
  const { kernel, problem, variant } = best.result;
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  const why = ({ result, share }: (typeof below)[number]): string => {
    const time = median(result.samples);
    const { milliseconds } = rooflineOf(result, result.dispatches, ceilings);
    return `${result.kernel} ${result.problem} ${percent(share)} (${boundOf(time, result, result.dispatches, ceilings)}, ${percent(milliseconds / time)} of the roofline)`;
  };
  return [
    `Best product of matrices in ${type}: ${best.gigaflops.toFixed(1)} GFLOP/s (${kernel} ${problem}, ${variant}).`,
    `Of it, ${chosen.length - below.length} of ${chosen.length} GEMM-shaped problems reach ${percent(WANTED_SHARE)}${below.length === 0 ? '.' : `; below: ${below.map(why).join(', ')}.`}`,
  ].join('\n');
}
