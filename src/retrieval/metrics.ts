/**
 * Ranking by cosine, and the retrieval metrics of SAKE's evaluation protocol (Liu et al., ICCV 2019),
 * which the published figures of zero-shot sketch search follow.
 *
 * For one query, with n items in the gallery of which P are relevant (have the query's class), items
 * are ranked by falling cosine and, where cosines are equal, by their place in the gallery. The
 * precision at rank r is the share of relevant items among the first r. The average precision uses
 * the envelope of PASCAL VOC: at each relevant rank the best precision at this or any later rank,
 *
 *     AP@all = (sum over relevant ranks r of max over t >= r of precision(t)) / P
 *     AP@k   = the same over the first min(k, n) ranks alone, also for the envelope, / min(k, P)
 *     P@k    = relevant items among the first k / min(k, n)
 *
 * A query without any relevant item (P = 0) has no average precision; it is left out and counted.
 */

/**
 * What AP@k is divided by: `protocol`, min(k, P); or `hits`, the relevant items found among the first
 * k, as some papers do, which flatters: one hit at rank 1 and no other is already a perfect score.
 */
export type ApDenominator = 'protocol' | 'hits';

export interface RetrievalOptions {
  /** Embeddings of the queries, row by row: [queries, dimension]. */
  readonly queries: Float32Array;
  /** The class of each query. */
  readonly queryLabels: ArrayLike<number>;
  /** Embeddings of the gallery: [n, dimension]. They need not be normalised. */
  readonly gallery: Float32Array;
  readonly galleryLabels: ArrayLike<number>;
  readonly dimension: number;
  /** The values of k for mAP@k and P@k. */
  readonly cutoffs?: readonly number[];
  readonly apDenominator?: ApDenominator;
}

/** Means over some queries. */
export interface MeanMetrics {
  /** mAP@all. */
  readonly mapAll: number;
  /** mAP@k and P@k, in the order of the cutoffs asked for. */
  readonly atCutoff: readonly { readonly k: number; readonly map: number; readonly precision: number }[];
}

export interface ClassMetrics extends MeanMetrics {
  readonly label: number;
  readonly queries: number;
}

/** Means over all queries that have a relevant item. */
export interface RetrievalMetrics extends MeanMetrics {
  /** The queries that count. */
  readonly queries: number;
  /** Queries whose class is not in the gallery. */
  readonly skippedQueries: number;
  readonly gallerySize: number;
  readonly apDenominator: ApDenominator;
  /** Means over the queries of each class, by rising label. */
  readonly perClass: readonly ClassMetrics[];
  /** The mean of `perClass`: each class counts alike, however many queries it has. */
  readonly classMean: MeanMetrics;
}

export interface RankedItem {
  /** The item's place in the gallery. */
  readonly index: number;
  /** The cosine, from -1 to 1. */
  readonly score: number;
}

/** Embeddings or labels that cannot be evaluated. */
export class RetrievalError extends Error {
  override readonly name = 'RetrievalError';
}

/** Queries scored at once: each gallery element that is loaded serves this many products. */
const QUERY_BLOCK = 4;

/**
 * Ranks the whole gallery for every query and measures the result. Only a block of queries is scored
 * at a time: the matrix of all scores would take gigabytes for the large data sets.
 * @throws RetrievalError where sizes disagree, a value is not finite, or no query can be evaluated
 */
export function evaluateRetrieval(options: RetrievalOptions): RetrievalMetrics {
  const { queries, queryLabels, gallery, galleryLabels, dimension, cutoffs = [100, 200], apDenominator = 'protocol' } = options;
  for (const k of cutoffs) requireCount('a cutoff', k);
  const queryNorms = rowNorms('query', queries, dimension);
  const galleryNorms = rowNorms('gallery', gallery, dimension);
  requireLabels('query', queryLabels, queryNorms.length);
  requireLabels('gallery', galleryLabels, galleryNorms.length);

  const relevantOf = groupByLabel(galleryLabels);
  const sums = new Map<number, MetricSum>();
  const scorer = new CosineScorer(gallery, galleryNorms, dimension);
  let skippedQueries = 0;
  for (let first = 0; first < queryNorms.length; first += QUERY_BLOCK) {
    const scores = scorer.score(queries, queryNorms, first);
    const count = Math.min(QUERY_BLOCK, queryNorms.length - first);
    for (let i = 0; i < count; i++) {
      const label = queryLabels[first + i];
      const relevant = relevantOf.get(label);
      if (relevant === undefined) {
        skippedQueries++;
        continue;
      }
      let sum = sums.get(label);
      if (sum === undefined) sums.set(label, (sum = new MetricSum(cutoffs)));
      sum.add(relevantRanks(scores[i], relevant), galleryNorms.length, apDenominator);
    }
  }
  if (sums.size === 0) throw new RetrievalError(`none of the ${queryNorms.length} queries has an item of its class among the ${galleryNorms.length} of the gallery; compare the class names of both`);

  const perClass = [...sums]
    .sort(([a], [b]) => a - b)
    .map(([label, sum]) => ({ label, queries: sum.count, ...sum.mean() }));
  const total = new MetricSum(cutoffs);
  for (const { label } of perClass) total.merge(sums.get(label)!);
  return {
    queries: total.count,
    skippedQueries,
    gallerySize: galleryNorms.length,
    apDenominator,
    ...total.mean(),
    perClass,
    classMean: {
      mapAll: mean(perClass.map(({ mapAll }) => mapAll)),
      atCutoff: cutoffs.map((k, i) => ({
        k,
        map: mean(perClass.map(({ atCutoff }) => atCutoff[i].map)),
        precision: mean(perClass.map(({ atCutoff }) => atCutoff[i].precision)),
      })),
    },
  };
}

/**
 * The k items of the gallery nearest to a query, best first.
 * @param query [dimension]
 * @param gallery [n, dimension]
 * @throws RetrievalError where sizes disagree or a value is not finite
 */
export function rankGallery(query: Float32Array, gallery: Float32Array, dimension: number, k: number): RankedItem[] {
  requireCount('k', k);
  const queryNorms = rowNorms('query', query, dimension);
  if (queryNorms.length !== 1) throw new RetrievalError(`one query of ${dimension} values is needed, there are ${query.length}`);
  const galleryNorms = rowNorms('gallery', gallery, dimension);
  const [scores] = new CosineScorer(gallery, galleryNorms, dimension).score(query, queryNorms, 0);
  return Array.from(galleryNorms.keys())
    .sort((a, b) => scores[b] - scores[a] || a - b)
    .slice(0, k)
    .map((index) => ({ index, score: scores[index] }));
}

/**
 * The average precision over the first ranks of one query.
 * @param ranks the ranks of the relevant items, rising, the best being 1
 * @param lastRank the last rank that counts
 * @param denominator what the sum of precisions is divided by; where it is 0, so is the result
 */
export function averagePrecision(ranks: ArrayLike<number>, lastRank: number, denominator: number): number {
  // Between two hits the precision only falls, so that the envelope is a running maximum over hits, from the last one back.
  let best = 0;
  let sum = 0;
  for (let hit = hitsWithin(ranks, lastRank); hit > 0; hit--) {
    best = Math.max(best, hit / ranks[hit - 1]);
    sum += best;
  }
  return denominator === 0 ? 0 : sum / denominator;
}

function hitsWithin(ranks: ArrayLike<number>, lastRank: number): number {
  let hits = 0;
  while (hits < ranks.length && ranks[hits] <= lastRank) hits++;
  return hits;
}

/**
 * The ranks of the relevant items, rising. The gallery is not sorted for it: sorting the relevant
 * items is enough, as every other item then only has to find how many of them it comes before.
 */
function relevantRanks(scores: Float64Array, relevant: Uint32Array): Uint32Array {
  const order = relevant.slice().sort((a, b) => scores[b] - scores[a] || a - b);
  const ranks = new Uint32Array(order.length);
  for (let item = 0; item < scores.length; item++) {
    const score = scores[item];
    let low = 0;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = order[middle];
      const otherIsBetter = scores[other] > score || (scores[other] === score && other < item);
      if (otherIsBetter) low = middle + 1;
      else high = middle;
    }
    // `low` relevant items are better than this one. It counts for the rank of the next, and so of all that follow.
    if (low < ranks.length) ranks[low]++;
  }
  for (let i = 1; i < ranks.length; i++) ranks[i] += ranks[i - 1];
  return ranks;
}

/** The gallery, ready to be scored against blocks of queries. */
class CosineScorer {
  private readonly block: Float64Array;
  private readonly scores: Float64Array[];

  constructor(private readonly gallery: Float32Array, private readonly norms: Float64Array, private readonly dimension: number) {
    this.block = new Float64Array(QUERY_BLOCK * dimension);
    this.scores = Array.from({ length: QUERY_BLOCK }, () => new Float64Array(norms.length));
  }

  /**
   * Cosines of the queries `first`, `first + 1`, ... with every item, valid until the next call.
   * Each is summed in float64 in the order of the elements, so that equal items have equal scores.
   * A vector of length 0 has cosine 0 with all others.
   */
  score(queries: Float32Array, queryNorms: Float64Array, first: number): readonly Float64Array[] {
    const { block, gallery, norms, dimension, scores: [scores0, scores1, scores2, scores3] } = this;
    block.fill(0).set(queries.subarray(first * dimension, (first + QUERY_BLOCK) * dimension));
    const scale = (query: number): number => 1 / (queryNorms[first + query] || 1);
    const scales = [scale(0), scale(1), scale(2), scale(3)];
    for (let item = 0, row = 0; item < norms.length; item++, row += dimension) {
      let sum0 = 0;
      let sum1 = 0;
      let sum2 = 0;
      let sum3 = 0;
      for (let i = 0; i < dimension; i++) {
        const value = gallery[row + i];
        sum0 += value * block[i];
        sum1 += value * block[dimension + i];
        sum2 += value * block[2 * dimension + i];
        sum3 += value * block[3 * dimension + i];
      }
      const norm = norms[item] || 1;
      scores0[item] = (sum0 / norm) * scales[0];
      scores1[item] = (sum1 / norm) * scales[1];
      scores2[item] = (sum2 / norm) * scales[2];
      scores3[item] = (sum3 / norm) * scales[3];
    }
    return this.scores;
  }
}

/** The metrics of queries added up. */
class MetricSum {
  count = 0;
  private apAll = 0;
  private readonly ap: Float64Array;
  private readonly precision: Float64Array;

  constructor(private readonly cutoffs: readonly number[]) {
    this.ap = new Float64Array(cutoffs.length);
    this.precision = new Float64Array(cutoffs.length);
  }

  /** Adds a query, given the ranks of its relevant items in a gallery of n. */
  add(ranks: Uint32Array, n: number, apDenominator: ApDenominator): void {
    this.count++;
    this.apAll += averagePrecision(ranks, n, ranks.length);
    this.cutoffs.forEach((k, i) => {
      const lastRank = Math.min(k, n);
      const hits = hitsWithin(ranks, lastRank);
      this.ap[i] += averagePrecision(ranks, lastRank, apDenominator === 'hits' ? hits : Math.min(k, ranks.length));
      this.precision[i] += hits / lastRank;
    });
  }

  merge(other: MetricSum): void {
    this.count += other.count;
    this.apAll += other.apAll;
    for (let i = 0; i < this.cutoffs.length; i++) {
      this.ap[i] += other.ap[i];
      this.precision[i] += other.precision[i];
    }
  }

  mean(): MeanMetrics {
    return {
      mapAll: this.apAll / this.count,
      atCutoff: this.cutoffs.map((k, i) => ({ k, map: this.ap[i] / this.count, precision: this.precision[i] / this.count })),
    };
  }
}

function rowNorms(what: string, rows: Float32Array, dimension: number): Float64Array {
  requireCount('the dimension', dimension);
  if (rows.length % dimension !== 0) throw new RetrievalError(`the ${what} embeddings have ${rows.length} values, which is no multiple of the dimension ${dimension}`);
  const norms = new Float64Array(rows.length / dimension);
  for (let row = 0; row < norms.length; row++) {
    let sum = 0;
    for (let i = row * dimension; i < (row + 1) * dimension; i++) sum += rows[i] * rows[i];
    // One value that is not finite would leave a ranking that means nothing, and looks like one.
    if (!Number.isFinite(sum)) throw new RetrievalError(`the ${what} embedding ${row} has a value that is not finite`);
    norms[row] = Math.sqrt(sum);
  }
  return norms;
}

function groupByLabel(labels: ArrayLike<number>): Map<number, Uint32Array> {
  const groups = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const group = groups.get(labels[i]);
    if (group === undefined) groups.set(labels[i], [i]);
    else group.push(i);
  }
  return new Map([...groups].map(([label, items]) => [label, Uint32Array.from(items)]));
}

function requireLabels(what: string, labels: ArrayLike<number>, rows: number): void {
  if (labels.length !== rows) throw new RetrievalError(`there are ${rows} ${what} embeddings and ${labels.length} ${what} labels`);
}

function requireCount(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw new RetrievalError(`${what} must be an integer above 0, and is ${value}`);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
