/** Which pictures of an index are searched: by folder, label, date of the last change and size of the file. */
import type { RowMask } from './ranking.ts';
import { RetrievalError } from './vectors.ts';

/** Conditions that a picture must all meet. One that is omitted or empty lets every picture pass. */
export interface PictureFilter {
  /** Folders, as the paths of the index begin; folders in them are included. One of them must contain the picture. */
  readonly folders?: readonly string[];
  /** Names of the folder that directly contains the picture; one of them must match. */
  readonly labels?: readonly string[];
  /** Changed at this time or later, in milliseconds since 1970. */
  readonly after?: number;
  /** Changed before this time, in milliseconds since 1970. */
  readonly before?: number;
  /** Bytes of the file. */
  readonly minSize?: number;
  readonly maxSize?: number;
}

/** What a filter is compared with: paths, and the sizes and times of the files where they are known. */
export interface FilteredPictures {
  readonly paths: readonly string[];
  readonly stamps?: { readonly sizes: ArrayLike<number>; readonly times: ArrayLike<number> };
}

/** A filter as a user or a request writes it. */
export interface PictureFilterWords {
  readonly folders: readonly string[];
  readonly labels: readonly string[];
  readonly after?: string;
  readonly before?: string;
  readonly minSize?: string | number;
  readonly maxSize?: string | number;
}

/** The name of the folder that directly contains a picture, which often is its class. */
export const pictureLabel = (path: string): string => path.split('/').at(-2) ?? '.';

/** @throws RetrievalError for a date or a size that is none */
export function parsePictureFilter(words: PictureFilterWords): PictureFilter {
  return {
    folders: words.folders,
    labels: words.labels,
    after: dateOf('after', words.after),
    before: dateOf('before', words.before),
    minSize: sizeOf('min-size', words.minSize),
    maxSize: sizeOf('max-size', words.maxSize),
  };
}

/**
 * The rows that pass a filter; undefined if all pass.
 * @throws RetrievalError for a folder or label that no picture has, and for dates or sizes that the index does not store
 */
export function pictureMask(
  { paths, stamps }: FilteredPictures,
  { folders = [], labels = [], after, before, minSize, maxSize }: PictureFilter,
): RowMask | undefined {
  const tests: ((row: number) => boolean)[] = [];
  if (folders.length > 0) {
    const prefixes = folders.map((folder) => `${folder.replace(/^(\.\/)+/, '').replace(/\/+$/, '')}/`);
    prefixes.forEach((prefix, index) => {
      if (!paths.some((path) => path.startsWith(prefix)))
        throw new RetrievalError(`the index has no picture in the folder ${JSON.stringify(folders[index])}`);
    });
    tests.push((row) => prefixes.some((prefix) => paths[row].startsWith(prefix)));
  }
  if (labels.length > 0) {
    const wanted = new Set(labels);
    const found = new Set(paths.map(pictureLabel));
    for (const label of wanted)
      if (!found.has(label))
        throw new RetrievalError(`the index has no picture with the label ${JSON.stringify(label)}`);
    tests.push((row) => wanted.has(pictureLabel(paths[row])));
  }
  if ([after, before, minSize, maxSize].some((bound) => bound !== undefined)) {
    if (stamps === undefined)
      throw new RetrievalError(
        'this index file does not store the dates and sizes of its pictures; an index folder does (sketchgrad embed --out FOLDER)',
      );
    const { times, sizes } = stamps;
    // 0 means that the source did not tell.
    const within = (value: number, least = 1, most = Infinity): boolean => value > 0 && value >= least && value <= most;
    if (after !== undefined || before !== undefined)
      tests.push((row) => within(times[row], after) && times[row] < (before ?? Infinity));
    if (minSize !== undefined || maxSize !== undefined) tests.push((row) => within(sizes[row], minSize, maxSize));
  }
  return tests.length === 0
    ? undefined
    : Uint8Array.from(paths, (_, row) => (tests.every((passes) => passes(row)) ? 1 : 0));
}

/** @returns milliseconds since 1970; a date without a time is its first moment in UTC */
function dateOf(name: string, word: string | undefined): number | undefined {
  if (word === undefined) return undefined;
  const time = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(word)
    ? Date.parse(word)
    : NaN;
  if (!Number.isNaN(time)) return time;
  throw new RetrievalError(
    `${name} must be a date such as 2026-01-31 or 2026-01-31T12:00:00Z, and is ${JSON.stringify(word)}`,
  );
}

function sizeOf(name: string, word: string | number | undefined): number | undefined {
  if (word === undefined) return undefined;
  const size = typeof word === 'number' || /^\d+$/.test(word) ? Number(word) : NaN;
  if (Number.isSafeInteger(size)) return size;
  throw new RetrievalError(`${name} must be a whole number of bytes, and is ${JSON.stringify(word)}`);
}
