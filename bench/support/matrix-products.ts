import type { ConvolutionShape } from '../../kernels/convolution.ts';
import { isPointwise } from '../../kernels/convolution-tiles.ts';
import type { Result } from './measure.ts';
import { byProblem, shown } from './results.ts';
import { median } from './statistics.ts';

/**
 * Of a problem that is a product of matrices: `plain` where the matrices lie in memory as they are and all counted operations
 * have to be done, `implicit` where one of them is gathered (a kernel larger than 1x1, a stride), and padding is counted too.
 */
export type Product = 'plain' | 'implicit';

export const productOf = (shape: ConvolutionShape): Product => (isPointwise(shape) ? 'plain' : 'implicit');

/** The share of the best product's rate from which a GEMM-shaped kernel counts as good. */
export const WANTED_SHARE = 0.7;

/** The fastest plain product of matrices of a run, by whichever variant: what the hardware gives to a product through our kernels. */
export interface BestProduct {
  readonly gigaflops: number;
  readonly result: Result;
}

const rateOf = ({ flop, samples }: Result): number => flop / median(samples) / 1e6;

/** undefined where no plain product was measured. */
export function bestProduct(results: readonly Result[]): BestProduct | undefined {
  let best: BestProduct | undefined;
  for (const result of results) {
    if (result.product !== 'plain' || result.samples.length === 0) continue;
    const gigaflops = rateOf(result);
    if (best === undefined || gigaflops > best.gigaflops) best = { gigaflops, result };
  }
  return best;
}

/** A result's rate in terms of the best product's; undefined of what is no product. */
export function shareOfBest(result: Result, best: BestProduct | undefined): number | undefined {
  return best === undefined || result.product === undefined ? undefined : rateOf(result) / best.gigaflops;
}

/** Two sentences on all GEMM-shaped problems that were measured; empty where there are none. */
export function productSummary(results: readonly Result[]): string {
  const best = bestProduct(results);
  if (best === undefined) return '';
  const shares = [...byProblem(results).values()].flatMap((group) => {
    const chosen = shown(group);
    const share = chosen && shareOfBest(chosen, best);
    return chosen === undefined || share === undefined ? [] : [{ name: `${chosen.kernel} ${chosen.problem}`, share }];
  });
  const below = shares.filter(({ share }) => share < WANTED_SHARE).sort((a, b) => a.share - b.share);
  const { kernel, problem, variant } = best.result;
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  return [
    `Best product of matrices: ${best.gigaflops.toFixed(1)} GFLOP/s (${kernel} ${problem}, ${variant}).`,
    `Of the best product, ${shares.length - below.length} of ${shares.length} GEMM-shaped problems reach ${percent(WANTED_SHARE)}${below.length === 0 ? '.' : `; below: ${below.map(({ name, share }) => `${name} ${percent(share)}`).join(', ')}.`}`,
  ].join('\n');
}
