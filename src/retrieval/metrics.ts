/**
 * The retrieval metrics of SAKE's evaluation protocol (Liu et al., ICCV 2019), which the published figures of zero-shot
 * sketch search follow, and the variations that other papers use.
 *
 * For one query, with n items in the gallery of which P are relevant (have the query's class), items
 * are ranked by falling score and, where scores are equal, by their place in the gallery. The
 * precision at rank r is the share of relevant items among the first r. The average precision uses
 * the envelope of PASCAL VOC: at each relevant rank the best precision at this or any later rank,
 *
 *     AP@all = (sum over relevant ranks r of max over t >= r of precision(t)) / P
 *     AP@k   = the same over the first min(k, n) ranks alone, also for the envelope, / min(k, P)
 *     P@k    = relevant items among the first k / min(k, n)
 *
 * A query without any relevant item (P = 0) has no average precision; it is left out and counted.
 * docs/evaluation.md compares the protocols.
 */

import { HIDDEN, Ranker } from './ranking.ts';
import { requireCount, requireLabels, RetrievalError } from './vectors.ts';

/**
 * What AP@k is divided by: `protocol`, min(k, P); `hits`, the relevant items found among the first k, which flatters:
 * one hit at rank 1 and no other is already a perfect score; or `relevant`, P, with which no query can reach 1 where P
 * > k. AP@all is divided by P in all three.
 */
export type ApDenominator = 'protocol' | 'hits' | 'relevant';

/** Which precision counts at a hit: the best at this or any later rank, as in PASCAL VOC and SAKE, or the hit's own. */
export type ApEnvelope = 'voc' | 'none';

/** What is measured, and how. Left out, it is SAKE's protocol. */
export interface Protocol {
  /** The values of k for mAP@k and P@k. */
  readonly cutoffs?: readonly number[];
  readonly apDenominator?: ApDenominator;
  readonly apEnvelope?: ApEnvelope;
}

/** The classes of queries and gallery. */
export interface Labels {
  readonly queryLabels: ArrayLike<number>;
  readonly galleryLabels: ArrayLike<number>;
  /** For each query the place of one item that it must not find, such as itself, or -1. */
  readonly excluded?: ArrayLike<number>;
}

/** Means over some queries. */
export interface MeanMetrics {
  /** mAP@all. */
  readonly mapAll: number;
  /** mAP@k and P@k, in the order of the cutoffs requested. */
  readonly atCutoff: readonly { readonly k: number; readonly map: number; readonly precision: number }[];
}

export interface ClassMetrics extends MeanMetrics {
  readonly label: number;
  readonly queries: number;
}

/** Means over all queries that have a relevant item. */
export interface RetrievalMetrics extends MeanMetrics {
  /** The protocol in words, for readers of the figures: `describeProtocol`. */
  readonly protocol: string;
  readonly apDenominator: ApDenominator;
  readonly apEnvelope: ApEnvelope;
  /** The queries that count. */
  readonly queries: number;
  /** Queries whose class is not in the gallery. */
  readonly skippedQueries: number;
  readonly gallerySize: number;
  /** Means over the queries of each class, by rising label. */
  readonly perClass: readonly ClassMetrics[];
  /** The mean of `perClass`: each class has the same weight, however many queries it has. */
  readonly classMean: MeanMetrics;
}

/** The protocol in words. */
export function describeProtocol({ apDenominator = 'protocol', apEnvelope = 'voc' }: Protocol): string {
  const name = apDenominator === 'protocol' && apEnvelope === 'voc' ? "SAKE's" : "not SAKE's";
  const envelope =
    apEnvelope === 'voc' ? 'average precision with the VOC envelope' : 'average precision without envelope';
  const denominator = {
    protocol: 'AP@k divided by min(k, relevant photos)',
    hits: 'AP@k divided by the hits among the first k (not comparable with figures that are divided by min(k, relevant photos))',
    relevant:
      'AP@k divided by all relevant photos (not comparable with figures that are divided by min(k, relevant photos))',
  }[apDenominator];
  return `${name}: ${envelope}, ${denominator}`;
}

/** @throws RetrievalError where an item to leave out is none of the gallery's */
export function requireExcluded(excluded: ArrayLike<number>, { queryLabels, galleryLabels }: Labels): void {
  requireLabels('excluded', excluded, queryLabels.length);
  for (let query = 0; query < excluded.length; query++) {
    const item = excluded[query];
    if (!Number.isInteger(item) || item < -1 || item >= galleryLabels.length) {
      throw new RetrievalError(
        `excluded[${query}] is ${item}, where -1 or the place of one of the ${galleryLabels.length} items of the gallery is needed`,
      );
    }
  }
}

/** Takes the scores of one query after the other, and gives the metrics of all. */
export class RetrievalMeter {
  private readonly labels: Labels;
  private readonly protocol: Required<Protocol>;
  private readonly relevantOf: ReadonlyMap<number, Uint32Array>;
  private readonly sums = new Map<number, MetricSum>();
  private readonly ranker = new Ranker();
  private next = 0;
  private skipped = 0;

  /** @throws RetrievalError where there is nothing to measure with */
  constructor(labels: Labels, { cutoffs = [100, 200], apDenominator = 'protocol', apEnvelope = 'voc' }: Protocol = {}) {
    for (const k of cutoffs) requireCount('a cutoff', k);
    if (labels.excluded !== undefined) requireExcluded(labels.excluded, labels);
    this.labels = labels;
    this.protocol = { cutoffs, apDenominator, apEnvelope };
    this.relevantOf = groupByLabel(labels.galleryLabels);
  }

  /**
   * Takes the next query.
   * @param scores its score with each item, [n]; the meter may change what it has read
   */
  add(scores: Float32Array): void {
    this.take(
      (hidden) => (scores[hidden] = -Infinity),
      (relevant) => this.ranker.rank(scores, relevant),
    );
  }

  /**
   * Takes the next query.
   * @param distances its Hamming distance to each item, [n]; the meter may change what it has read
   */
  addDistances(distances: Uint16Array): void {
    this.take(
      (hidden) => (distances[hidden] = HIDDEN),
      (relevant) => this.ranker.rankByDistance(distances, relevant),
    );
  }

  private take(hide: (item: number) => void, rank: (relevant: Uint32Array) => Uint32Array): void {
    const { queryLabels, galleryLabels, excluded } = this.labels;
    const query = this.next++;
    const label = queryLabels[query];
    const hidden = excluded?.[query] ?? -1;
    let relevant = this.relevantOf.get(label);
    if (hidden >= 0) {
      hide(hidden);
      if (galleryLabels[hidden] === label) relevant = relevant?.filter((item) => item !== hidden);
    }
    if (relevant === undefined || relevant.length === 0) {
      this.skipped++;
      return;
    }
    let sum = this.sums.get(label);
    if (sum === undefined) this.sums.set(label, (sum = new MetricSum(this.protocol)));
    sum.add(rank(relevant), galleryLabels.length - Number(hidden >= 0));
  }

  /** @throws RetrievalError where queries are missing, or none has a relevant item */
  metrics(): RetrievalMetrics {
    const { queryLabels, galleryLabels } = this.labels;
    const { cutoffs, apDenominator, apEnvelope } = this.protocol;
    if (this.next !== queryLabels.length)
      throw new RetrievalError(`there are ${this.next} rows of scores and ${queryLabels.length} query labels`);
    if (this.sums.size === 0)
      throw new RetrievalError(
        `none of the ${queryLabels.length} queries has an item of its class among the ${galleryLabels.length} of the gallery; compare the class names of both`,
      );
    const perClass = [...this.sums]
      .sort(([a], [b]) => a - b)
      .map(([label, sum]) => ({ label, queries: sum.count, ...sum.mean() }));
    const total = new MetricSum(this.protocol);
    for (const { label } of perClass) total.merge(this.sums.get(label)!);
    return {
      protocol: describeProtocol(this.protocol),
      apDenominator,
      apEnvelope,
      queries: total.count,
      skippedQueries: this.skipped,
      gallerySize: galleryLabels.length,
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
}

/**
 * The average precision over the first ranks of one query.
 * @param ranks the ranks of the relevant items, rising, the best being 1
 * @param lastRank the last rank that counts
 * @param denominator what the sum of precisions is divided by; where it is 0, so is the result
 */
export function averagePrecision(
  ranks: ArrayLike<number>,
  lastRank: number,
  denominator: number,
  envelope: ApEnvelope = 'voc',
): number {
  // Between two hits the precision only falls, so that the envelope is a running maximum over hits, from the last one
  // back.
  let best = 0;
  let sum = 0;
  for (let hit = hitsWithin(ranks, lastRank); hit > 0; hit--) {
    const precision = hit / ranks[hit - 1];
    best = envelope === 'voc' ? Math.max(best, precision) : precision;
    sum += best;
  }
  return denominator === 0 ? 0 : sum / denominator;
}

function hitsWithin(ranks: ArrayLike<number>, lastRank: number): number {
  let hits = 0;
  while (hits < ranks.length && ranks[hits] <= lastRank) hits++;
  return hits;
}

/** The metrics of queries added up. */
class MetricSum {
  count = 0;
  private readonly protocol: Required<Protocol>;
  private apAll = 0;
  private readonly ap: Float64Array;
  private readonly precision: Float64Array;

  constructor(protocol: Required<Protocol>) {
    this.protocol = protocol;
    this.ap = new Float64Array(protocol.cutoffs.length);
    this.precision = new Float64Array(protocol.cutoffs.length);
  }

  /** Adds a query, given the ranks of its relevant items in a gallery of n. */
  add(ranks: Uint32Array, n: number): void {
    const { cutoffs, apDenominator, apEnvelope } = this.protocol;
    this.count++;
    this.apAll += averagePrecision(ranks, n, ranks.length, apEnvelope);
    cutoffs.forEach((k, i) => {
      const lastRank = Math.min(k, n);
      const hits = hitsWithin(ranks, lastRank);
      const denominator = { protocol: Math.min(k, ranks.length), hits, relevant: ranks.length }[apDenominator];
      this.ap[i] += averagePrecision(ranks, lastRank, denominator, apEnvelope);
      this.precision[i] += hits / lastRank;
    });
  }

  merge(other: MetricSum): void {
    this.count += other.count;
    this.apAll += other.apAll;
    for (let i = 0; i < this.ap.length; i++) {
      this.ap[i] += other.ap[i];
      this.precision[i] += other.precision[i];
    }
  }

  mean(): MeanMetrics {
    return {
      mapAll: this.apAll / this.count,
      atCutoff: this.protocol.cutoffs.map((k, i) => ({
        k,
        map: this.ap[i] / this.count,
        precision: this.precision[i] / this.count,
      })),
    };
  }
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

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
