/**
 * Exact search for the nearest rows of a gallery, by cosine, in one pass over a quarter of its bytes.
 *
 * Each row is also held rounded to one byte a value, with the distance between the row and its rounded copy. That
 * distance bounds how far the cosine of the copy can be from the row's own (Cauchy and Schwarz). So a pass over the
 * copies gives bounds of all cosines; only rows whose upper bound reaches the k-th best lower bound can be among the k
 * nearest, and of those few the cosine is computed in float64. The result is the one of a search that computes every
 * cosine in float64 (cosine.ts): same rows, same scores, same order.
 */
import { BestItems, type RankedItem } from '../ranking.ts';
import { rotation } from '../rotation.ts';
import { requireCount, RetrievalError, rowNorms } from '../vectors.ts';
import { storedNorms, vectorReader } from './stored-vectors.ts';
import { Candidates } from './candidates.ts';
import { integerRows, MOST_BYTES, QUERY_GROUP, ROW_BLOCK, type IntegerRows } from './integer-rows.ts';

/** Steps of a row's largest value. */
const ROW_STEPS = 127;
const QUERY_STEPS = 32767;
const LARGEST_SUM = 2 ** 31 - 1;
/** Covers the rounding of scores to float32, and of bounds and scales, whose numbers are at most 2. */
const ROUNDING = 2 ** -21;
/** Rows whose pairs are found in one pass. */
const PAIR_ROWS = 64;

/** How `ExactSearch` is set up. */
export interface ExactSearchOptions {
  /** Whether WebAssembly's vectors are used where the runtime has them. Default true. */
  readonly simd?: boolean;
  /** The index of the first row in the whole gallery, if these rows are a part of it. Default 0. */
  readonly first?: number;
  /**
   * Whether cosines are computed from the gallery's vectors. Otherwise they are those of the one-byte copies, the result
   * is approximate, and the gallery is not needed after the constructor. Default true.
   */
  readonly rescore?: boolean;
}

/** Which rows may be found. */
export type RowFilter = (row: number) => boolean;

/** Searches rows that stay as they are. Memory beside them: 1 byte a value and 8 bytes a row. */
export class ExactSearch {
  readonly count: number;
  private readonly parts: readonly Part[];
  private readonly rotate: ReturnType<typeof rotation>;
  private readonly first: number;
  private readonly rescore: boolean;
  /** The values of a row of the gallery. */
  private vectorOf: (row: number) => Float32Array;

  /**
   * @param gallery [n, dimension], f32 or the bits of f16; rows need not have length 1. It is read in each search and must
   * not change.
   * @throws RetrievalError where a value is not finite, or the values do not make whole rows
   */
  constructor(
    gallery: Float32Array | Uint16Array,
    private readonly dimension: number,
    { simd, first = 0, rescore = true }: ExactSearchOptions = {},
  ) {
    this.rescore = rescore;
    this.vectorOf = vectorReader(gallery, dimension);
    const norms = storedNorms(gallery, dimension);
    this.count = norms.length;
    this.first = first;
    this.rotate = rotation(dimension);
    const partRows = Math.max(1, Math.floor(MOST_BYTES / (dimension + 16)));
    this.parts = Array.from({ length: Math.ceil(this.count / partRows) }, (_, part) => {
      const start = part * partRows;
      return this.roundRows(start, norms.subarray(start, start + partRows), simd);
    });
    if (!rescore)
      this.vectorOf = () => {
        throw new RetrievalError('the vectors of this search are not held');
      };
  }

  /**
   * The k nearest rows, best first, equal ones by their place.
   * @param query [dimension]
   * @param accepts is given a row's place in the whole gallery; default: all rows
   * @throws RetrievalError where sizes disagree or a value is not finite
   */
  search(query: Float32Array, k: number, accepts?: RowFilter): RankedItem[] {
    if (query.length !== this.dimension)
      throw new RetrievalError(`one query of ${this.dimension} values is needed, there are ${query.length}`);
    return this.searchAll(query, k, accepts)[0];
  }

  /**
   * The same for several queries, which share the pass over the gallery.
   * @param queries [count, dimension]
   * @returns the k nearest rows of each query
   */
  searchAll(queries: Float32Array, k: number, accepts?: RowFilter): RankedItem[][] {
    requireCount('k', k);
    const { dimension } = this;
    const norms = rowNorms('query', queries, dimension);
    const rounded = Array.from(norms, (norm, query) =>
      this.roundQuery(queries.subarray(query * dimension, (query + 1) * dimension), norm),
    );
    if (!this.rescore) {
      const best = rounded.map(() => new BestCopies(k, this.first));
      for (const part of this.parts) this.scan(part, rounded, best, accepts);
      return best.map((found) => found.items.list());
    }
    const candidates = rounded.map(() => new Candidates(Math.max(1, Math.min(k, this.count))));
    for (const part of this.parts) this.scan(part, rounded, candidates, accepts);
    return candidates.map((found, query) =>
      this.score(queries.subarray(query * dimension, (query + 1) * dimension), norms[query], found.rows(), k),
    );
  }

  /**
   * Calls `use` for pairs of rows of the gallery whose cosine is at least `least`, each pair once, the earlier row
   * first. Memory does not depend on their number.
   * @param skips pairs whose cosine need not be known
   */
  eachPair(
    least: number,
    use: (row: number, other: number) => void,
    skips: (row: number, other: number) => boolean = () => false,
    onProgress?: (rows: number) => void,
  ): void {
    const { dimension, count } = this;
    for (let first = 0; first < count; first += PAIR_ROWS) {
      const rows = Math.min(PAIR_ROWS, count - first);
      const queries = new Float32Array(rows * dimension);
      for (let row = 0; row < rows; row++) queries.set(this.vectorOf(first + row), row * dimension);
      const norms = rowNorms('gallery', queries, dimension);
      const offers = Array.from(norms, (norm, index) => {
        const row = first + index;
        const query = queries.subarray(index * dimension, (index + 1) * dimension);
        return {
          // Below it no rounding of the score to float32 reaches the threshold.
          least: least - ROUNDING,
          offer: (other: number): void => {
            if (other <= row || skips(this.first + row, this.first + other)) return;
            const [{ score }] = this.score(query, norm, [other], 1);
            if (score >= least) use(this.first + row, this.first + other);
          },
        };
      });
      const rounded = offers.map((_, index) =>
        this.roundQuery(queries.subarray(index * dimension, (index + 1) * dimension), norms[index]),
      );
      for (const part of this.parts)
        if (part.start + part.rows.count > first) this.scan(part, rounded, offers, undefined);
      onProgress?.(first + rows);
    }
  }

  private roundRows(start: number, norms: Float64Array, simd: boolean | undefined): Part {
    const { dimension, rotate } = this;
    const rows = integerRows(norms.length, dimension, { simd });
    const scales = new Float32Array(norms.length);
    const slacks = new Float32Array(norms.length);
    for (const [row, norm] of norms.entries()) {
      if (norm === 0) continue;
      const values = rotate(this.vectorOf(start + row));
      const integers = rows.row(row);
      let largest = 0;
      for (let i = 0; i < dimension; i++) largest = Math.max(largest, Math.abs(values[i]));
      // The scale is the one that is stored, so that its own rounding is part of the distance.
      scales[row] = largest / (ROW_STEPS * norm);
      let squares = 0;
      for (let i = 0; i < dimension; i++) {
        integers[i] = Math.round((ROW_STEPS * values[i]) / largest);
        squares += (values[i] / norm - scales[row] * integers[i]) ** 2;
      }
      slacks[row] = Math.sqrt(squares) + ROUNDING;
    }
    return { start, rows, scales, slacks };
  }

  private roundQuery(query: Float32Array, norm: number): RoundedQuery {
    const { dimension, rotate } = this;
    const integers = new Int16Array(Math.ceil(dimension / 16) * 16);
    if (norm === 0) return { integers, step: 0, slack: 0 };
    const values = rotate(query);
    let largest = 0;
    for (let i = 0; i < dimension; i++) largest = Math.max(largest, Math.abs(values[i]));
    // By Cauchy and Schwarz a sum of products is at most the product of the lengths, which must fit 32 bits; rounding
    // makes the query longer by half a step a value at most.
    const steps = Math.min(
      (QUERY_STEPS * norm) / largest,
      LARGEST_SUM / (ROW_STEPS * Math.sqrt(dimension)) - Math.sqrt(dimension),
    );
    let squares = 0;
    for (let i = 0; i < dimension; i++) {
      integers[i] = Math.round((values[i] / norm) * steps);
      squares += (values[i] / norm - integers[i] / steps) ** 2;
    }
    return { integers, step: 1 / steps, slack: Math.sqrt(squares) };
  }

  /** Offers all rows of a part to the candidates of each query, with their bounds. */
  private scan(
    { start, rows, scales, slacks }: Part,
    queries: readonly RoundedQuery[],
    candidates: readonly Offers[],
    accepts: RowFilter | undefined,
  ): void {
    const { width } = rows;
    const groups = Array.from({ length: Math.ceil(queries.length / QUERY_GROUP) }, (_, group) => {
      const members = queries.slice(group * QUERY_GROUP, (group + 1) * QUERY_GROUP);
      const integers = new Int16Array(members.length * width);
      members.forEach((query, index) => integers.set(query.integers, index * width));
      return { members, integers, first: group * QUERY_GROUP };
    });
    for (let first = 0; first < rows.count; first += ROW_BLOCK) {
      const count = Math.min(ROW_BLOCK, rows.count - first);
      for (const { members, integers, first: firstQuery } of groups) {
        const sums = rows.multiply(integers, first, count);
        for (const [index, { step, slack }] of members.entries()) {
          const own = candidates[firstQuery + index];
          let { least } = own;
          for (let row = 0; row < count; row++) {
            const cosine = step * scales[first + row] * sums[index * ROW_BLOCK + row];
            const bound = slacks[first + row] + slack * (1 + slacks[first + row]);
            if (cosine + bound < least) continue;
            const place = start + first + row;
            if (accepts !== undefined && !accepts(this.first + place)) continue;
            own.offer(place, cosine, bound);
            ({ least } = own);
          }
        }
      }
    }
  }

  /** Computes the cosines of some rows as cosine.ts does, to the same bits. */
  private score(query: Float32Array, norm: number, rows: readonly number[], k: number): RankedItem[] {
    const { dimension, first } = this;
    const best = new BestItems(k);
    for (const row of rows) {
      const values = this.vectorOf(row);
      let sum = 0;
      let squares = 0;
      for (let i = 0; i < dimension; i++) {
        sum += values[i] * query[i];
        squares += values[i] * values[i];
      }
      best.offer(first + row, Math.fround(sum / ((Math.sqrt(squares) || 1) * (norm || 1))));
    }
    return best.list();
  }
}

/** The best rows by the cosines of their copies. */
class BestCopies implements Offers {
  readonly least = -Infinity;
  readonly items: BestItems;

  constructor(
    k: number,
    private readonly first: number,
  ) {
    this.items = new BestItems(k);
  }

  offer(place: number, cosine: number): void {
    this.items.offer(this.first + place, Math.fround(cosine));
  }
}

/** What takes the rows of a pass whose upper bound reaches `least`. */
interface Offers {
  readonly least: number;
  offer(place: number, cosine: number, bound: number): void;
}

/** Rows of the gallery that follow one another, rounded. */
interface Part {
  readonly start: number;
  readonly rows: IntegerRows;
  /** What a step of a row's integers is, for the row scaled to length 1, [count]. */
  readonly scales: Float32Array;
  /** Distance of each row, scaled to length 1, from its rounded copy, [count]. */
  readonly slacks: Float32Array;
}

interface RoundedQuery {
  readonly integers: Int16Array;
  /** What a step of the integers is, for the query scaled to length 1. */
  readonly step: number;
  /** Distance of the query, scaled to length 1, from its rounded copy. */
  readonly slack: number;
}
