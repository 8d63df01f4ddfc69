import { MOST_SKETCHES } from '../retrieval/mean-embedding.ts';
import { parsePictureFilter, type PictureFilter } from '../retrieval/picture-filter.ts';
import type { RankedItem } from '../retrieval/ranking.ts';
import { RetrievalError } from '../retrieval/vectors.ts';
import { RequestError } from './picture-body.ts';

const DEFAULT_NEIGHBOURS = 10;
const MOST_NEIGHBOURS = 1000;
/** The last rank that can be requested: an answer is found among that many nearest. */
export const MOST_RANK = 10_000;

/** @throws RequestError 400 */
export function neighboursOf(parameters: URLSearchParams): number {
  const typed = parameters.get('k') ?? String(DEFAULT_NEIGHBOURS);
  const k = /^\d{1,6}$/.test(typed) ? Number(typed) : NaN;
  if (k >= 1 && k <= MOST_NEIGHBOURS) return k;
  throw new RequestError(400, `k must be a whole number from 1 to ${MOST_NEIGHBOURS}, and is ${JSON.stringify(typed)}`);
}

/** How many of the nearest are left out before the first of an answer. @throws RequestError 400 */
export function offsetOf(parameters: URLSearchParams, k: number): number {
  const typed = parameters.get('offset') ?? '0';
  const offset = /^\d{1,6}$/.test(typed) ? Number(typed) : NaN;
  if (offset + k <= MOST_RANK) return offset;
  throw new RequestError(
    400,
    `offset must be a whole number from 0 to ${MOST_RANK - k} (with k = ${k}), and is ${JSON.stringify(typed)}`,
  );
}

/**
 * The rows of the index that search together with the sketches: what is like them is wanted.
 * @param sketches how many there are
 * @param rows of the index
 * @throws RequestError 400
 */
export function likeOf(
  parameters: URLSearchParams,
  sketches: number,
  rows: { readonly count: number; has?(row: number): boolean },
): readonly number[] {
  const liked = parameters.getAll('like').map((typed) => {
    const row = /^\d{1,9}$/.test(typed) ? Number(typed) : NaN;
    if (!(row < rows.count))
      throw new RequestError(
        400,
        `like must be a row of the index, from 0 to ${rows.count - 1}, and is ${JSON.stringify(typed)}`,
      );
    if (rows.has?.(row) === false) throw new RequestError(400, `the picture of row ${row} was removed from the index`);
    return row;
  });
  if (sketches + liked.length >= 1 && sketches + liked.length <= MOST_SKETCHES) return liked;
  throw new RequestError(
    400,
    `1 to ${MOST_SKETCHES} sketches and rows search together, and there are ${sketches + liked.length}`,
  );
}

/** @throws RequestError 400 */
export function pictureFilterOf(parameters: URLSearchParams): PictureFilter {
  const one = (name: string): string | undefined => parameters.get(name) ?? undefined;
  return refusing(() =>
    parsePictureFilter({
      folders: parameters.getAll('folder'),
      labels: parameters.getAll('label'),
      after: one('after'),
      before: one('before'),
      minSize: one('min-size'),
      maxSize: one('max-size'),
    }),
  );
}

/** Turns what retrieval refuses into status 400. */
export function refusing<Result>(call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    if (error instanceof RetrievalError) throw new RequestError(400, error.message);
    throw error;
  }
}

/**
 * One page of a ranking.
 * @param ranked the `offset + k + 1` best, fewer where there are fewer
 * @returns the page, and whether there is another one behind it
 */
export function pageOf<Result>(
  ranked: readonly Result[],
  offset: number,
  k: number,
): { readonly page: readonly Result[]; readonly more: boolean } {
  return { page: ranked.slice(offset, offset + k), more: ranked.length > offset + k };
}

/** A ranking without some of its rows: what is like a picture is wanted, and not the picture. */
export const withoutRows = (ranked: readonly RankedItem[], rows: readonly number[]): readonly RankedItem[] =>
  ranked.filter(({ index }) => !rows.includes(index));
