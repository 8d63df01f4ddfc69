/**
 * Exact search of rows to which others are added: an `ExactSearch` for the first ones and one for each block of added
 * rows. Blocks are joined as in a binary counter, so that a row is rounded again a few times at most however many rows
 * come one by one.
 */
import type { RankedItem, RowMask } from '../ranking.ts';
import { acceptsByMask, mergeRankings, STRIPE_ROWS } from './divided-search.ts';
import { ExactSearch, type ExactSearchOptions } from './exact-search.ts';

interface Block {
  readonly first: number;
  readonly rows: Float32Array;
  readonly search: ExactSearch;
}

/** Which rows may be found; omitted, all may. */
export interface GrowingMask {
  /** Of the rows at the beginning. */
  readonly own?: RowMask;
  /** Of all rows that were added to the gallery, here and in other threads. */
  readonly added?: RowMask;
}

export class GrowingSearch {
  private readonly own: ExactSearch;
  private readonly first: number;
  private readonly blocks: Block[] = [];

  /**
   * @param rows [n, dimension], which must not change
   * @param whole rows of the whole gallery, behind which others are added
   */
  constructor(
    rows: Float32Array | Uint16Array,
    private readonly dimension: number,
    private readonly whole: number,
    private readonly options: ExactSearchOptions = {},
  ) {
    this.own = new ExactSearch(rows, dimension, options);
    this.first = options.first ?? 0;
  }

  /** @param first place of the first of them in the whole gallery; they are of one stripe (`STRIPE_ROWS`) */
  add(rows: Float32Array, first: number): void {
    let added = { first, rows };
    for (;;) {
      const last = this.blocks.at(-1);
      if (last === undefined || !this.isBefore(last, added.first) || last.rows.length > added.rows.length) break;
      this.blocks.pop();
      const joined = new Float32Array(last.rows.length + added.rows.length);
      joined.set(last.rows);
      joined.set(added.rows, last.rows.length);
      added = { first: last.first, rows: joined };
    }
    const search = new ExactSearch(added.rows, this.dimension, { ...this.options, first: added.first });
    this.blocks.push({ ...added, search });
  }

  /** @param queries [count, dimension] @returns the k nearest rows of each query */
  searchAll(queries: Float32Array, k: number, { own, added }: GrowingMask = {}): RankedItem[][] {
    const found = [
      this.own.searchAll(queries, k, acceptsByMask(own, this.first)),
      ...this.blocks.map(({ search }) => search.searchAll(queries, k, acceptsByMask(added, this.whole))),
    ];
    if (found.length === 1) return found[0];
    return found[0].map((_, query) =>
      mergeRankings(
        found.map((ranked) => ranked[query]),
        k,
      ),
    );
  }

  /** Whether a block ends where rows begin that are of the same stripe. */
  private isBefore({ first, rows }: Block, next: number): boolean {
    const stripe = (row: number): number => Math.floor((row - this.whole) / STRIPE_ROWS);
    return first + rows.length / this.dimension === next && stripe(first) === stripe(next);
  }
}
