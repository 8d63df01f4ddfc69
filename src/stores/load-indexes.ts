import type { IndexFolder } from '../platform/node/index-folder.ts';
import { batches, type StoredPicture, type VectorStore } from './store.ts';

/** Pictures of one call of `add`: 0.5 MB at 128 components. */
const BATCH = 1024;

/** Settings of `loadIndexes`. */
export interface LoadOptions {
  /** Whether pictures that are in none of the folders stay. Default false: they are removed. */
  readonly keep?: boolean;
  /** Receives the number of pictures that were compared. */
  readonly onProgress?: (done: number) => void;
}

/** What `loadIndexes` did. */
export interface LoadCounts {
  readonly added: number;
  /** Stored before, with the same path and digest. */
  readonly unchanged: number;
  readonly removed: number;
}

/**
 * Makes a store hold the pictures of index folders. Pictures that are stored with the same digest are not sent again, so
 * a load that was interrupted continues. Memory: a part of a folder, and all paths.
 */
export async function loadIndexes(
  store: VectorStore,
  indexes: readonly IndexFolder[],
  { keep = false, onProgress }: LoadOptions = {},
): Promise<LoadCounts> {
  const loaded = new Set<string>();
  let added = 0;
  for (const index of indexes)
    for (const part of index.manifest.parts) {
      const { dimension } = index.manifest;
      const vectors = await index.vectors(part);
      const rows = (await index.pictures(part)).map((picture, row): StoredPicture => ({
        ...picture,
        vector: vectors.subarray(row * dimension, (row + 1) * dimension),
      }));
      for (const batch of batches(rows, BATCH)) {
        const stored = await store.digests(batch.map(({ path }) => path));
        const changed = batch.filter(({ path, digest }) => stored.get(path) !== digest);
        await store.add(changed);
        added += changed.length;
        for (const { path } of batch) loaded.add(path);
        onProgress?.(loaded.size);
      }
    }
  const gone: string[] = [];
  if (!keep) for await (const paths of store.paths()) gone.push(...paths.filter((path) => !loaded.has(path)));
  for (const batch of batches(gone, BATCH)) await store.remove(batch);
  await store.flush();
  return { added, unchanged: loaded.size - added, removed: gone.length };
}
