/**
 * Ranks by falling score and, where scores are equal, by place in the gallery. A ranking is never written out whole:
 * the metrics ask for the ranks of the relevant items alone, and those need the relevant items sorted and all others
 * counted.
 */

import { RetrievalError } from './vectors.ts';

/**
 * Of the table that begins each search; more do not make the counting faster, and filling them costs time for each
 * query.
 */
const BUCKETS = 16384;
/** The distance of an item that is not to be found: above that of any two codes. */
export const HIDDEN = 2 ** 12;
/** Most items of a class: score and place must fit 53 bits together. */
const MOST_RELEVANT = 2 ** 21;

/**
 * Ranks relevant items among all items of a gallery, query by query, in buffers of its own.
 *
 * An item counts for the rank of every relevant item that it comes before. With the relevant items sorted, it only has
 * to find the first of these; a table over the range of their scores gives that place up to a few neighbours, which a
 * binary search settles. So a query costs little more than one look at each score. A plain full sort gives the same
 * ranks.
 */
export class Ranker {
  private readonly starts = new Uint32Array(BUCKETS + 1);
  private keys = new Float64Array(0);
  private order = new Uint32Array(0);
  private sorted = new Float32Array(0);
  private ranks = new Uint32Array(0);
  private readonly places = new Uint32Array(HIDDEN + 2);

  /**
   * @param scores of each item, [n]; -Infinity for an item that is not to be found
   * @param relevant places of the relevant items, rising
   * @returns their ranks, rising, the best being 1; valid until the next call
   * @throws RetrievalError where a score is NaN
   */
  rank(scores: Float32Array, relevant: Uint32Array): Uint32Array {
    const count = relevant.length;
    if (count === 0) return this.ranks.subarray(0, 0);
    if (count > MOST_RELEVANT)
      throw new RetrievalError(`${count} items are relevant to one query; at most ${MOST_RELEVANT} can be ranked`);
    if (this.order.length < count) this.grow(count);
    const { starts } = this;
    const order = this.order.subarray(0, count);
    const sorted = this.sorted.subarray(0, count);
    const ranks = this.ranks.subarray(0, count).fill(0);
    this.sort(scores, relevant, order, sorted);

    // A bucket's items lie between starts[bucket + 1] and starts[bucket] in the order, for scores fall in it.
    const least = sorted[count - 1];
    const range = sorted[0] - least;
    const scale = range > 0 ? BUCKETS / range : 0;
    const last = BUCKETS - 1;
    starts.fill(0);
    for (let i = 0; i < count; i++) starts[bucketOf(sorted[i], least, scale, last)]++;
    for (let bucket = last; bucket >= 0; bucket--) starts[bucket] += starts[bucket + 1];

    for (let item = 0; item < scores.length; item++) {
      const score = scores[item];
      if (score >= least) {
        const bucket = bucketOf(score, least, scale, last);
        let low = starts[bucket + 1];
        let high = starts[bucket];
        while (low < high) {
          const middle = (low + high) >>> 1;
          const other = sorted[middle];
          if (other > score || (other === score && order[middle] < item)) low = middle + 1;
          else high = middle;
        }
        // `low` relevant items are better than this one. It counts for the rank of the next, and so of all that follow.
        if (low < count) ranks[low]++;
      } else if (Number.isNaN(score)) {
        throw new RetrievalError(`the score of item ${item} is not a number`);
      }
    }
    for (let i = 1; i < count; i++) ranks[i] += ranks[i - 1];
    return ranks;
  }

  /**
   * The same by rising distances that are small integers, for which counting is enough: an item's rank is the number of
   * items nearer than it, and of those before it at the same distance.
   * @param distances of each item, [n]; HIDDEN for an item that is not to be found
   * @param relevant places of the relevant items, rising
   * @returns the ranks of the relevant items, rising; valid until the next call
   */
  rankByDistance(distances: Uint16Array, relevant: Uint32Array): Uint32Array {
    const count = relevant.length;
    if (this.order.length < count) this.grow(count);
    const places = this.places;
    places.fill(0);
    for (let item = 0; item < distances.length; item++) places[distances[item] + 1]++;
    for (let distance = 1; distance < places.length; distance++) places[distance] += places[distance - 1];
    const ranks = this.ranks.subarray(0, count);
    let found = 0;
    for (let item = 0; item < distances.length && found < count; item++) {
      const rank = ++places[distances[item]];
      if (relevant[found] === item) ranks[found++] = rank;
    }
    return ranks.sort();
  }

  /** Sorts the relevant items: best first, and equal ones by their places. */
  private sort(scores: Float32Array, relevant: Uint32Array, order: Uint32Array, sorted: Float32Array): void {
    // The engine sorts numbers without a comparison function many times faster than with one, so score and place become
    // one number: the score's bits, made to rise as the score falls, before the place among the relevant items.
    const count = relevant.length;
    const keys = this.keys.subarray(0, count);
    for (let i = 0; i < count; i++) sorted[i] = scores[relevant[i]] + 0; // -0 becomes 0, to which it is equal
    const bits = new Int32Array(sorted.buffer, sorted.byteOffset, count);
    for (let i = 0; i < count; i++) {
      if (Number.isNaN(sorted[i])) throw new RetrievalError(`the score of item ${relevant[i]} is not a number`);
      const rising = bits[i] ^ ((bits[i] >> 31) & 0x7fffffff);
      keys[i] = (2 ** 31 - 1 - rising) * MOST_RELEVANT + i;
    }
    keys.sort();
    for (let i = 0; i < count; i++) {
      order[i] = relevant[keys[i] % MOST_RELEVANT];
      sorted[i] = scores[order[i]];
    }
  }

  private grow(count: number): void {
    this.keys = new Float64Array(count);
    this.order = new Uint32Array(count);
    this.sorted = new Float32Array(count);
    this.ranks = new Uint32Array(count);
  }
}

/** Rises with the score, weakly: each of its roundings does. */
const bucketOf = (score: number, least: number, scale: number, last: number): number => {
  const place = (score - least) * scale;
  return place < last ? place | 0 : last;
};

/** Items of a gallery that may be found, [n]: 0 for those that may not. */
export type RowMask = Uint8Array;

/** An item of a ranking. */
export interface RankedItem {
  /** The item's place in the gallery. */
  readonly index: number;
  /** The score: a cosine from -1 to 1, or minus a Hamming distance. */
  readonly score: number;
}

/**
 * Keeps the k best of many items that are offered one by one, in the order of their places: of equal scores the first
 * stays. Few of a large gallery are ever kept, so this takes a small part of the time of a sort.
 */
export class BestItems {
  private kept: RankedItem[] = [];
  /** Items up to this score are no longer among the k best. */
  private least = -Infinity;

  constructor(private readonly k: number) {}

  /** Keeps an item if it is among the best so far. */
  offer(index: number, score: number): void {
    if (score <= this.least) return;
    this.kept.push({ index, score });
    if (this.kept.length >= 2 * this.k) {
      this.prune();
      this.least = this.kept[this.k - 1].score;
    }
  }

  /** Best first. */
  list(): RankedItem[] {
    this.prune();
    return this.kept;
  }

  private prune(): void {
    this.kept.sort((a, b) => b.score - a.score || a.index - b.index);
    this.kept.length = Math.min(this.kept.length, this.k);
  }
}

/** The k best items, best first. @param mask of the items that count, [n]; omitted, all do */
export function bestItems(scores: ArrayLike<number>, k: number, mask?: RowMask): RankedItem[] {
  const best = new BestItems(k);
  for (let index = 0; index < scores.length; index++)
    if (mask === undefined || mask[index] !== 0) best.offer(index, scores[index]);
  return best.list();
}
