import { pictureMask, type PictureFilter } from '../retrieval/picture-filter.ts';
import type { RetrievalIndex } from '../retrieval/index-file.ts';
import { vectorReader, type StoredValues } from '../retrieval/exact/stored-vectors.ts';
import type { RowMask } from '../retrieval/ranking.ts';

/** Filters whose rows are remembered: pages of one search, and searches of one client, have the same filter. */
const REMEMBERED_FILTERS = 8;

/** A picture that is added to those that are searched. */
export interface AddedPicture {
  readonly path: string;
  /** Of its file, in bytes; 0 if it is not known. */
  readonly size: number;
  /** Of the last change, in milliseconds since 1970; 0 if it is not known. */
  readonly time: number;
  /** [dimension], of length 1. */
  readonly embedding: Float32Array;
}

/**
 * The pictures of an index, to which others are added and from which some are removed. A row stays the number of its
 * picture: new pictures get rows at the end, and a removed one leaves its row unused.
 */
export class PictureRows {
  readonly paths: string[];
  readonly dimension: number;
  private readonly base: (row: number) => Float32Array;
  /** Rows of the index. */
  private readonly first: number;
  private readonly added: Float32Array[] = [];
  private readonly stamps: { readonly sizes: number[]; readonly times: number[] } | undefined;
  private readonly removed = new Set<number>();
  /** By the filters' JSON, the latest last. */
  private readonly masks = new Map<string, RowMask | undefined>();

  /**
   * @param stored the embeddings of the index, as they are held
   * @param removed rows of the index that are not searched
   */
  constructor(
    { dimension, paths, stamps }: Omit<RetrievalIndex, 'embeddings'>,
    stored: StoredValues,
    removed: Iterable<number> = [],
  ) {
    this.paths = [...paths];
    this.base = vectorReader(stored, dimension);
    this.first = paths.length;
    this.dimension = dimension;
    this.stamps = stamps && { sizes: [...stamps.sizes], times: [...stamps.times] };
    for (const row of removed) this.removed.add(row);
  }

  /** Rows, those without a picture included. */
  get count(): number {
    return this.paths.length;
  }

  /** Pictures that are searched. */
  get searched(): number {
    return this.paths.length - this.removed.size;
  }

  /** Whether a row has a picture. */
  has(row: number): boolean {
    return row < this.paths.length && !this.removed.has(row);
  }

  /** @returns the first of their rows */
  add(pictures: readonly AddedPicture[]): number {
    const first = this.paths.length;
    for (const { path, size, time, embedding } of pictures) {
      this.paths.push(path);
      this.stamps?.sizes.push(size);
      this.stamps?.times.push(time);
      this.added.push(embedding);
    }
    this.masks.clear();
    return first;
  }

  /** Takes the pictures of these rows out of every later search. */
  remove(rows: Iterable<number>): void {
    for (const row of rows) this.removed.add(row);
    this.masks.clear();
  }

  /** [dimension], of length 1, as exact as it is held. */
  embedding(row: number): Float32Array {
    return row < this.first ? this.base(row).slice() : this.added[row - this.first];
  }

  /** The rows that pass a filter; undefined if all rows do. @throws RetrievalError as `pictureMask` */
  mask(filter: PictureFilter): RowMask | undefined {
    const key = JSON.stringify(filter);
    const mask = this.masks.has(key) ? this.masks.get(key) : this.newMask(filter);
    this.masks.delete(key);
    this.masks.set(key, mask);
    if (this.masks.size > REMEMBERED_FILTERS) this.masks.delete(this.masks.keys().next().value as string);
    return mask;
  }

  private newMask(filter: PictureFilter): RowMask | undefined {
    const found = pictureMask({ paths: this.paths, stamps: this.stamps }, filter);
    if (this.removed.size === 0) return found;
    const mask = found ?? new Uint8Array(this.count).fill(1);
    for (const row of this.removed) mask[row] = 0;
    return mask;
  }
}
