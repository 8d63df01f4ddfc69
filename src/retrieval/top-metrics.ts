/** The metrics that the first ranks of a query decide, without a ranking of the whole gallery. */
import type { Device } from '../gpu/device.ts';
import { DeviceGallery, type DeviceGalleryOptions } from './device-gallery.ts';
import { averagePrecision, describeProtocol, requireExcluded, type Labels, type Protocol } from './metrics.ts';
import type { RetrievalOptions } from './evaluate.ts';
import { requireCount, requireLabels, RetrievalError } from './vectors.ts';

/** Means over all queries that have a relevant item. */
export interface TopMetrics {
  /** The protocol in words, for readers of the figures: `describeProtocol`. */
  readonly protocol: string;
  /** The queries that count. */
  readonly queries: number;
  /** Queries whose class is not in the gallery. */
  readonly skippedQueries: number;
  readonly gallerySize: number;
  /**
   * In the order of the cutoffs: mAP@k and P@k as in `RetrievalMetrics`, and hit@k, the share of queries with a relevant
   * item among the first k.
   */
  readonly atCutoff: readonly {
    readonly k: number;
    readonly map: number;
    readonly precision: number;
    readonly hit: number;
  }[];
}

/** Takes the first ranks of one query after the other. */
export class TopMeter {
  private readonly protocol: Required<Protocol>;
  private readonly classSizes = new Map<number, number>();
  private readonly sums: { map: number; precision: number; hit: number }[];
  private next = 0;
  private skipped = 0;

  /** @throws RetrievalError where there is nothing to measure with */
  constructor(
    private readonly labels: Labels,
    { cutoffs = [1, 10], apDenominator = 'protocol', apEnvelope = 'voc' }: Protocol = {},
  ) {
    for (const k of cutoffs) requireCount('a cutoff', k);
    if (labels.excluded !== undefined) requireExcluded(labels.excluded, labels);
    this.protocol = { cutoffs, apDenominator, apEnvelope };
    this.sums = cutoffs.map(() => ({ map: 0, precision: 0, hit: 0 }));
    for (let item = 0; item < labels.galleryLabels.length; item++) {
      const label = labels.galleryLabels[item];
      this.classSizes.set(label, (this.classSizes.get(label) ?? 0) + 1);
    }
  }

  /** Items that are needed of each query: the largest cutoff, and the one that a query must not find. */
  get itemsNeeded(): number {
    return Math.max(...this.protocol.cutoffs) + Number(this.labels.excluded !== undefined);
  }

  /** Takes the next query. @param items its best ones, `itemsNeeded` or all of the gallery, best first */
  add(items: ArrayLike<number>): void {
    const { queryLabels, galleryLabels, excluded } = this.labels;
    const query = this.next++;
    const label = queryLabels[query];
    const hidden = excluded?.[query] ?? -1;
    const relevant = (this.classSizes.get(label) ?? 0) - Number(hidden >= 0 && galleryLabels[hidden] === label);
    if (relevant === 0) {
      this.skipped++;
      return;
    }
    const ranks: number[] = [];
    let rank = 0;
    for (let place = 0; place < items.length; place++) {
      if (items[place] === hidden) continue;
      rank++;
      if (galleryLabels[items[place]] === label) ranks.push(rank);
    }
    const size = galleryLabels.length - Number(hidden >= 0);
    const { cutoffs, apDenominator, apEnvelope } = this.protocol;
    cutoffs.forEach((k, i) => {
      const last = Math.min(k, size);
      const hits = ranks.filter((hit) => hit <= last).length;
      const denominator = { protocol: Math.min(k, relevant), hits, relevant }[apDenominator];
      this.sums[i].map += averagePrecision(ranks, last, denominator, apEnvelope);
      this.sums[i].precision += hits / last;
      this.sums[i].hit += Number(hits > 0);
    });
  }

  /** @throws RetrievalError where queries are missing, or none has a relevant item */
  metrics(): TopMetrics {
    const { queryLabels, galleryLabels } = this.labels;
    if (this.next !== queryLabels.length)
      throw new RetrievalError(`there are ${this.next} rankings and ${queryLabels.length} query labels`);
    const queries = this.next - this.skipped;
    if (queries === 0)
      throw new RetrievalError(
        `none of the ${queryLabels.length} queries has an item of its class among the ${galleryLabels.length} of the gallery; compare the class names of both`,
      );
    return {
      protocol: describeProtocol(this.protocol),
      queries,
      skippedQueries: this.skipped,
      gallerySize: galleryLabels.length,
      atCutoff: this.protocol.cutoffs.map((k, i) => ({
        k,
        map: this.sums[i].map / queries,
        precision: this.sums[i].precision / queries,
        hit: this.sums[i].hit / queries,
      })),
    };
  }
}

/** The first ranks of several queries: the places of the k best items of each, best first. */
export type FirstRanks = (queries: Float32Array, k: number) => Promise<readonly ArrayLike<number>[]>;

/** Queries that are searched together. */
const QUERY_BLOCK = 256;

/**
 * mAP@k, P@k and hit@k by any search that gives the first ranks, such as `openExactSearch` or a vector store. Cutoffs are
 * of any size; default 1 and 10.
 * @param options as `evaluateRetrieval` takes them; the gallery itself is not read
 * @throws RetrievalError where sizes disagree, or no query can be evaluated
 */
export async function evaluateTop(
  { queries, dimension, ...options }: Omit<RetrievalOptions, 'gallery'>,
  search: FirstRanks,
): Promise<TopMetrics> {
  requireCount('the dimension', dimension);
  requireLabels('query', options.queryLabels, queries.length / dimension);
  const meter = new TopMeter(options, options);
  const k = Math.min(meter.itemsNeeded, options.galleryLabels.length);
  for (let first = 0; first < options.queryLabels.length; first += QUERY_BLOCK) {
    const block = queries.subarray(first * dimension, (first + QUERY_BLOCK) * dimension);
    for (const items of await search(block, k)) meter.add(items);
  }
  return meter.metrics();
}

/**
 * mAP@k, P@k and hit@k on a device, which selects the first ranks of each query (`DeviceGallery`) instead of ranking the
 * whole gallery. Cutoffs are up to 64, or 63 where `excluded` is given; default 1 and 10.
 * @throws RetrievalError where sizes disagree, a value is not finite, or no query can be evaluated
 */
export async function evaluateTopOnDevice(
  device: Device,
  options: RetrievalOptions,
  settings?: Omit<DeviceGalleryOptions, 'k'>,
): Promise<TopMetrics> {
  const { queries, gallery, dimension, queryLabels, galleryLabels } = options;
  requireCount('the dimension', dimension);
  requireLabels('query', queryLabels, Math.floor(queries.length / dimension));
  requireLabels('gallery', galleryLabels, Math.floor(gallery.length / dimension));
  const meter = new TopMeter(options, options);
  const k = meter.itemsNeeded;
  const searched = await DeviceGallery.open(device, gallery, dimension, { ...settings, k });
  try {
    const { indices } = await searched.search(queries);
    const found = Math.min(k, searched.count);
    for (let query = 0; query < queryLabels.length; query++) meter.add(indices.subarray(query * k, query * k + found));
    return meter.metrics();
  } finally {
    searched.destroy();
  }
}
