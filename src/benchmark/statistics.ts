// Order statistics: timings have a hard floor and a long tail, so that means and standard deviations say little of
// them.

/** The value below which a share `q` of the samples lies, interpolated between neighbours. */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) throw new RangeError('no samples');
  const sorted = [...samples].sort((a, b) => a - b);
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.ceil(place);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** Half the distance from the first to the third quartile: the spread that a table prints after +-. */
export const halfSpread = (samples: readonly number[]): number =>
  (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2;

/** How many times `after` is `before`, with an interval that holds the truth with the given confidence. */
export interface RatioEstimate {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The Hodges-Lehmann estimate of after / before: the median of all pairwise ratios, with the interval that inverts the
 * Mann-Whitney test, so that it assumes nothing of how times are distributed (Hollander and Wolfe, Nonparametric
 * Statistical Methods, chapter 4). With fewer samples than the confidence needs, the interval is unbounded.
 */
export function ratioOf(after: readonly number[], before: readonly number[], confidence = 0.99): RatioEstimate {
  const ratios = after.flatMap((a) => before.map((b) => a / b)).sort((a, b) => a - b);
  const cut = mannWhitneyCut(after.length, before.length, (1 - confidence) / 2);
  return {
    ratio: median(ratios),
    low: cut === 0 ? 0 : ratios[cut - 1],
    high: cut === 0 ? Infinity : ratios[ratios.length - cut],
  };
}

/**
 * The largest number c for which fewer than c of the m * n pairs are in order with at most the given probability; 0 if
 * none is.
 */
function mannWhitneyCut(m: number, n: number, probability: number): number {
  const counts = m * n > EXACT_PAIRS ? undefined : rankSumCounts(m, n);
  if (counts === undefined) {
    const deviation = Math.sqrt((m * n * (m + n + 1)) / 12);
    return Math.max(0, Math.floor((m * n) / 2 - normalQuantile(1 - probability) * deviation));
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  let below = 0;
  for (let c = 0; c < counts.length; c++) {
    below += counts[c];
    if (below / total > probability) return c;
  }
  return 0;
}

/** Beyond this many pairs the normal approximation is as good as the table. */
const EXACT_PAIRS = 400;

/**
 * In how many orders of m + n samples exactly u of the pairs are in order, for each u: coefficients of the Gaussian
 * binomial.
 */
function rankSumCounts(m: number, n: number): number[] {
  let counts = [1];
  for (let i = 1; i <= m; i++) {
    // Times (1 - x^(n + i)), then divided by (1 - x^i); both steps are exact in integers.
    const product = new Array<number>(counts.length + n + i).fill(0);
    counts.forEach((count, u) => {
      product[u] += count;
      product[u + n + i] -= count;
    });
    for (let u = i; u < product.length; u++) product[u] += product[u - i];
    counts = product.slice(0, i * n + 1);
  }
  return counts;
}

/** The normal distribution's quantile, by bisection of its integral. */
function normalQuantile(p: number): number {
  const below = (x: number): number => {
    // Abramowitz and Stegun 26.2.17, seven digits.
    const t = 1 / (1 + 0.2316419 * Math.abs(x));
    const tail =
      (((((1.330274429 * t - 1.821255978) * t + 1.781477937) * t - 0.356563782) * t + 0.31938153) *
        t *
        Math.exp((-x * x) / 2)) /
      Math.sqrt(2 * Math.PI);
    return x > 0 ? 1 - tail : tail;
  };
  let [low, high] = [-10, 10];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (below(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
