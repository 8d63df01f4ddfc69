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
  /** Ends it; a search under way is rejected. */
  close(): Promise<void>;
}

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
  /** @param parts by their rows, all of one dimension */
  constructor(
    private readonly parts: readonly PartSearcher[],
    readonly count: number,
    private readonly dimension: number,
  ) {}

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
