import { ExactSearch } from '../retrieval/exact/exact-search.ts';
import type { IndexedPicture } from '../retrieval/index-folder/part.ts';
import type { PictureFilter } from '../retrieval/picture-filter.ts';
import { requireCount } from '../retrieval/vectors.ts';
import {
  byScore,
  checkedRows,
  passes,
  requireVector,
  type StoredPicture,
  type StoreHit,
  type VectorStore,
} from './store.ts';

/** Rows that were added together or merged; `ExactSearch` searches rows that do not change. */
interface Segment {
  readonly pictures: readonly IndexedPicture[];
  readonly vectors: Float32Array;
  readonly search: ExactSearch;
  /** 0 for a row that was removed or replaced. */
  readonly live: Uint8Array;
}

/**
 * A store in memory whose search finds every nearest picture (`ExactSearch`): 5 bytes a component. Rows are in segments
 * whose sizes fall by half at least, so an added row is copied a logarithmic number of times.
 */
export class ExactStore implements VectorStore {
  private segments: Segment[] = [];
  private readonly places = new Map<string, { readonly segment: Segment; readonly row: number }>();

  constructor(readonly dimension: number) {
    requireCount('the dimension', dimension);
  }

  add(pictures: readonly StoredPicture[]): Promise<void> {
    return now(() => {
      const rows = checkedRows(pictures, this.dimension);
      if (rows.length === 0) return;
      this.drop(rows.map(({ path }) => path));
      const vectors = new Float32Array(rows.length * this.dimension);
      rows.forEach(({ vector }, row) => vectors.set(vector, row * this.dimension));
      this.append(
        rows.map(({ path, size, time, digest }) => ({ path, size, time, digest })),
        vectors,
      );
      for (;;) {
        const [above, last] = this.segments.slice(-2);
        if (last === undefined || above.pictures.length >= 2 * last.pictures.length) break;
        this.merge(2);
      }
    });
  }

  remove(paths: readonly string[]): Promise<void> {
    return now(() => this.drop(paths));
  }

  search(query: Float32Array, k: number, filter: PictureFilter = {}): Promise<StoreHit[]> {
    return now(() => {
      requireVector('the query', query, this.dimension);
      const found = this.segments.flatMap(({ pictures, search, live }) =>
        search
          .search(query, k, (row) => live[row] === 1 && passes(pictures[row], filter))
          .map(({ index, score }) => ({ path: pictures[index].path, digest: pictures[index].digest, score })),
      );
      return byScore(found).slice(0, k);
    });
  }

  count(filter: PictureFilter = {}): Promise<number> {
    return now(() => {
      let count = 0;
      for (const { segment, row } of this.places.values()) if (passes(segment.pictures[row], filter)) count++;
      return count;
    });
  }

  digests(paths: readonly string[]): Promise<Map<string, string>> {
    return now(() => {
      const found = new Map<string, string>();
      for (const path of paths) {
        const place = this.places.get(path);
        if (place !== undefined) found.set(path, place.segment.pictures[place.row].digest);
      }
      return found;
    });
  }

  async *paths(): AsyncGenerator<readonly string[], void, undefined> {
    yield await now(() => [...this.places.keys()]);
  }

  /** Frees the memory of rows that were removed or replaced. */
  flush(): Promise<void> {
    return now(() => this.merge(this.segments.length));
  }

  /** Does nothing: the store is in memory. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  private drop(paths: readonly string[]): void {
    for (const path of paths) {
      const place = this.places.get(path);
      if (place !== undefined) place.segment.live[place.row] = 0;
      this.places.delete(path);
    }
  }

  private append(pictures: readonly IndexedPicture[], vectors: Float32Array): void {
    if (pictures.length === 0) return;
    const live = new Uint8Array(pictures.length).fill(1);
    const segment = { pictures, vectors, live, search: new ExactSearch(vectors, this.dimension) };
    this.segments.push(segment);
    pictures.forEach(({ path }, row) => this.places.set(path, { segment, row }));
  }

  /** Makes the last segments one, without the rows that are gone. */
  private merge(count: number): void {
    const { dimension } = this;
    const merged = this.segments.splice(this.segments.length - count);
    const kept = merged.flatMap(({ pictures, vectors, live }) =>
      pictures
        .map((picture, row) => ({ picture, vector: vectors.subarray(row * dimension, (row + 1) * dimension), row }))
        .filter(({ row }) => live[row] === 1),
    );
    const vectors = new Float32Array(kept.length * dimension);
    kept.forEach(({ vector }, row) => vectors.set(vector, row * dimension));
    this.append(
      kept.map(({ picture }) => picture),
      vectors,
    );
  }
}

/** Calls at once; what it throws rejects. */
const now = async <Result>(call: () => Result): Promise<Result> => Promise.resolve(call());
