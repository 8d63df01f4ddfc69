/**
 * What every vector store can do, ours in memory and the engines of others. A store holds the pictures of one model.
 * A picture is identified by its path: adding the same path again replaces the row.
 */
import { sha256 } from '../formats/sha256.ts';
import { hex } from '../formats/sealed.ts';
import { BoundedError } from '../formats/untrusted.ts';
import { pictureLabel, type PictureFilter } from '../retrieval/picture-filter.ts';
import type { IndexedPicture } from '../retrieval/index-folder/part.ts';

/** A store that cannot be opened or used; the message names it and says what to do. */
export class StoreError extends BoundedError {
  override readonly name = 'StoreError';
}

/** A picture with its embedding. */
export interface StoredPicture extends IndexedPicture {
  /** [dimension]; finite and not all zero. Its length is not used. */
  readonly vector: Float32Array;
}

/** A picture that was found. */
export interface StoreHit {
  readonly path: string;
  /** SHA-256 of the file, 64 digits. */
  readonly digest: string;
  /** The cosine, from -1 to 1, as exact as the engine stores vectors. */
  readonly score: number;
}

/** A store of pictures and their embeddings. */
export interface VectorStore {
  /** Components of a vector. */
  readonly dimension: number;
  /**
   * Adds pictures, or replaces those with the same paths. If the call fails, all or none of each 1,000 are stored.
   * @throws StoreError for a vector of another size or without a direction
   */
  add(pictures: readonly StoredPicture[]): Promise<void>;
  /** Removes pictures; a path that is not there is ignored. */
  remove(paths: readonly string[]): Promise<void>;
  /**
   * The nearest pictures by cosine, best first, equal ones in the order of their paths.
   * @param query [dimension]
   * @returns at most k; engines with an approximate index may miss some
   */
  search(query: Float32Array, k: number, filter?: PictureFilter): Promise<StoreHit[]>;
  /** How many pictures there are. */
  count(filter?: PictureFilter): Promise<number>;
  /** The digests of those of these paths that are stored. */
  digests(paths: readonly string[]): Promise<Map<string, string>>;
  /** All paths, in batches and in no particular order. */
  paths(): AsyncIterable<readonly string[]>;
  /** Builds or completes the engine's index. Without it, new pictures are found as well, but more slowly. */
  flush(): Promise<void>;
  /** Ends the connection; what was added stays. */
  close(): Promise<void>;
}

/** What is opened. */
export interface StoreContent {
  /** The checksum of the weights that made the vectors. */
  readonly modelChecksum: string;
  /** Components of a vector. If given, the store is created if it does not exist. */
  readonly dimension?: number;
}

/** The name of a model's table or collection: vectors of different models are never mixed. */
export const tableName = (name: string, modelChecksum: string): string => `${name}_${modelChecksum.slice(0, 16)}`;

/** @throws StoreError that names the command which fills the store */
export function missingStore(store: string, modelChecksum: string): never {
  throw new StoreError(
    `${store} has no pictures of the model ${modelChecksum.slice(0, 16)}; sketchgrad index load FOLDER --store ${store} adds them`,
  );
}

/** @throws StoreError if a store that exists has vectors of another size than the one given */
export function requireDimension(store: string, stored: number, { dimension }: StoreContent): void {
  if (dimension !== undefined && dimension !== stored)
    throw new StoreError(`${store} has vectors of ${stored} components, and ${dimension} are needed`);
}

/** The identifier of a path where an engine needs a UUID: the first 128 bits of its SHA-256. */
export function pathId(path: string): string {
  const digits = hex(sha256(new TextEncoder().encode(path)));
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(12, 16),
    digits.slice(16, 20),
    digits.slice(20, 32),
  ].join('-');
}

/** A folder as paths begin: without ./ in front, with one slash at the end. */
export const folderPrefix = (folder: string): string => `${folder.replace(/^(\.\/)+/, '').replace(/\/+$/, '')}/`;

/** Whether a picture passes a filter. */
export function passes(
  { path, size, time }: Omit<IndexedPicture, 'digest'>,
  { folders = [], labels = [], after, before, minSize, maxSize }: PictureFilter,
): boolean {
  return (
    (folders.length === 0 || folders.some((folder) => path.startsWith(folderPrefix(folder)))) &&
    (labels.length === 0 || labels.includes(pictureLabel(path))) &&
    within(time, after) &&
    (before === undefined || (time > 0 && time < before)) &&
    within(size, minSize, maxSize)
  );
}

/** 0 means that the source of the picture did not tell; such a picture passes no bound. */
const within = (value: number, least?: number, most?: number): boolean =>
  (least === undefined && most === undefined) || (value > 0 && value >= (least ?? 0) && value <= (most ?? Infinity));

/** @throws StoreError for a vector of another size, with a value that is not finite, or of length 0 */
export function requireVector(what: string, vector: Float32Array, dimension: number): void {
  if (vector.length !== dimension)
    throw new StoreError(`${what}: a vector of ${dimension} values is needed, there are ${vector.length}`);
  const squares = vector.reduce((sum, value) => sum + value * value, 0);
  if (!Number.isFinite(squares) || squares === 0)
    throw new StoreError(`${what}: a vector of finite values that are not all zero is needed`);
}

/** Pictures with one path are one row: the last of them counts. @throws StoreError as `requireVector` */
export function checkedRows(pictures: readonly StoredPicture[], dimension: number): StoredPicture[] {
  for (const { path, vector } of pictures) requireVector(path, vector, dimension);
  return [...new Map(pictures.map((picture) => [picture.path, picture])).values()];
}

/** Best first, equal ones in the order of their paths. */
export const byScore = (hits: readonly StoreHit[]): StoreHit[] =>
  [...hits].sort((a, b) => b.score - a.score || (a.path < b.path ? -1 : 1));

/** Divides what an engine takes in one request. */
export function* batches<Item>(items: readonly Item[], size: number): Generator<readonly Item[], void, undefined> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

/** Runs writes one after the other; a failed one does not stop the next. */
export class WriteQueue {
  private last: Promise<unknown> = Promise.resolve();

  run<Result>(write: () => Promise<Result>): Promise<Result> {
    const next = this.last.then(write, write);
    this.last = next.catch(() => undefined);
    return next;
  }
}
