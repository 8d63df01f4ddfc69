/**
 * Exact search of a gallery whose rows are divided among several searchers, such as threads. Each finds its own k
 * nearest rows, exactly; the k nearest of all are among them. So the answer has the same bits for every division.
 */
import type { RankedItem, RowMask } from '../ranking.ts';
import { requireCount, RetrievalError, rowNorms } from '../vectors.ts';
import type { RowFilter } from './exact-search.ts';

/** Searches some consecutive rows of a gallery, and gives places in the whole of it: `ExactSearch` in a thread. */
export interface PartSearcher {
  /**
   * @param queries [count, dimension]
   * @param mask of the whole gallery; omitted, all rows may be found
   * @returns the k nearest rows of each query, best first
   */
  search(queries: Float32Array, k: number, mask?: RowMask): Promise<readonly (readonly RankedItem[])[]>;
  /**
   * Searches these rows as well, in searches that begin later. Left out where rows cannot be added.
   * @param rows [n, dimension]
   * @param first place of the first of them in the whole gallery
   */
  add?(rows: Float32Array, first: number): Promise<void>;
  /** Ends it; a search under way is rejected. */
  close(): Promise<void>;
}

/** Rows that are added are searched by one searcher until there are so many, and then by the next. */
export const STRIPE_ROWS = 16_384;

/** Consecutive rows of a gallery. */
export interface RowRange {
  readonly first: number;
  readonly count: number;
}

/** Divides rows into ranges of nearly the same length, fewer than `parts` where there are fewer rows. */
export function divideRows(rows: number, parts: number): RowRange[] {
  const count = Math.max(1, Math.min(parts, rows));
  const start = (part: number): number => Math.floor((part * rows) / count);
  return Array.from({ length: count }, (_, part) => ({ first: start(part), count: start(part + 1) - start(part) }));
}

/** The part of a mask for some rows, to be sent to their searcher. */
export const maskOfRows = (mask: RowMask | undefined, { first, count }: RowRange): RowMask | undefined =>
  mask?.slice(first, first + count);

/** @param mask of the rows from `first` on */
export const acceptsByMask = (mask: RowMask | undefined, first: number): RowFilter | undefined =>
  mask && ((row) => mask[row - first] !== 0);

/** The k best of several rankings, each of them best first; equal scores by their place. */
export function mergeRankings(rankings: readonly (readonly RankedItem[])[], k: number): RankedItem[] {
  return rankings
    .flat()
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, k);
}

/** The search of all parts at once. */
export class DividedSearch {
  private readonly first: number;
  private rows: number;

  /** @param parts by their rows, all of one dimension */
  constructor(
    private readonly parts: readonly PartSearcher[],
    count: number,
    private readonly dimension: number,
  ) {
    this.first = count;
    this.rows = count;
  }

  /** Rows of the gallery. */
  get count(): number {
    return this.rows;
  }

  /**
   * Adds rows at the end. Searches that begin later find them; those in progress do not.
   * @param rows [n, dimension]
   * @throws RetrievalError where a value is not finite, the values do not make whole rows, or the searchers take none
   */
  async add(rows: Float32Array): Promise<void> {
    const { dimension } = this;
    const { length: added } = rowNorms('gallery', rows, dimension);
    const sent: Promise<void>[] = [];
    const start = this.rows;
    for (let row = 0; row < added;) {
      const place = start - this.first + row;
      const count = Math.min(added - row, STRIPE_ROWS - (place % STRIPE_ROWS));
      const part = this.parts[Math.floor(place / STRIPE_ROWS) % this.parts.length];
      if (part.add === undefined) throw new RetrievalError('rows cannot be added to this search; open another one');
      sent.push(part.add(rows.slice(row * dimension, (row + count) * dimension), start + row));
      row += count;
    }
    this.rows += added;
    await Promise.all(sent);
  }

  /**
   * The k nearest rows, best first, equal ones by their place: the answer of `ExactSearch.search`, bit for bit.
   * @param query [dimension]
   * @param mask of the rows that may be found, [count]; omitted, all may
   * @throws RetrievalError where sizes disagree or a value is not finite
   */
  async search(query: Float32Array, k: number, mask?: RowMask): Promise<RankedItem[]> {
    if (query.length !== this.dimension)
      throw new RetrievalError(`one query of ${this.dimension} values is needed, there are ${query.length}`);
    return (await this.searchAll(query, k, mask))[0];
  }

  /**
   * The same for several queries, which share the pass over the gallery.
   * @param queries [count, dimension]
   */
  async searchAll(queries: Float32Array, k: number, mask?: RowMask): Promise<RankedItem[][]> {
    requireCount('k', k);
    if (mask !== undefined && mask.length !== this.count)
      throw new RetrievalError(`a mask of ${this.count} rows is needed, there are ${mask.length}`);
    const count = rowNorms('query', queries, this.dimension).length;
    const found = await Promise.all(this.parts.map((part) => part.search(queries, k, mask)));
    return Array.from({ length: count }, (_, query) =>
      mergeRankings(
        found.map((ranked) => ranked[query]),
        k,
      ),
    );
  }

  /** Ends the searchers; searches under way are rejected. */
  async close(): Promise<void> {
    await Promise.all(this.parts.map((part) => part.close()));
  }
}
