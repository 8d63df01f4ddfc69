/** Changes some pictures of an index on disk, atomically: a reader finds the old index or the new one. */
import { stat } from 'node:fs/promises';
import { readLargeFile, writeFileAtomically } from '../../platform/node/files.ts';
import { IndexFolder, IndexFolderWriter } from '../../platform/node/index-folder.ts';
import { encode } from '../../retrieval/binary-codes.ts';
import { assertSameModel, openIndex, serializeIndex } from '../../retrieval/index-file.ts';
import type { IndexedPicture } from '../../retrieval/index-folder/part.ts';

export interface NewPicture extends IndexedPicture {
  /** [dimension], of length 1. */
  readonly embedding: Float32Array;
}

export interface IndexChanges {
  /** The checksum of the model that made the embeddings. */
  readonly modelChecksum: string;
  /** A path that the index has is replaced. */
  readonly added: readonly NewPicture[];
  /** Paths. */
  readonly removed: readonly string[];
}

/**
 * @param file an index file or an index folder
 * @throws IndexModelMismatchError if another model made the index; errors of reading and writing
 */
export async function updateIndex(file: string, changes: IndexChanges): Promise<void> {
  return (await stat(file)).isDirectory() ? updateFolder(file, changes) : updateFile(file, changes);
}

async function updateFile(file: string, { modelChecksum, added, removed }: IndexChanges): Promise<void> {
  const index = openIndex(await readLargeFile(file), file);
  assertSameModel(index, modelChecksum);
  const { embeddings, dimension, paths, codes } = index;
  const replaced = new Set([...removed, ...added.map(({ path }) => path)]);
  const kept = [...paths.keys()].filter((row) => !replaced.has(paths[row]));
  const rows = new Float32Array((kept.length + added.length) * dimension);
  kept.forEach((row, place) =>
    rows.set(embeddings.subarray(row * dimension, (row + 1) * dimension), place * dimension),
  );
  added.forEach(({ embedding }, place) => rows.set(embedding, (kept.length + place) * dimension));
  await writeFileAtomically(
    file,
    serializeIndex({
      embeddings: rows,
      dimension,
      paths: [...kept.map((row) => paths[row]), ...added.map(({ path }) => path)],
      modelChecksum,
      ...(codes !== undefined && { codes: { ...codes, rows: encode(codes.coder, rows) } }),
    }),
  );
}

async function updateFolder(folder: string, { modelChecksum, added, removed }: IndexChanges): Promise<void> {
  const index = await IndexFolder.open(folder);
  assertSameModel(index.manifest, modelChecksum);
  const { dimension, type, parts } = index.manifest;
  const replaced = new Set([...removed, ...added.map(({ path }) => path)]);
  const fresh = [...added].sort((a, b) => (a.path < b.path ? -1 : 1));
  const writer = await IndexFolderWriter.create(folder, { modelChecksum, dimension, type });
  let next = 0;
  const addUntil = async (path?: string): Promise<void> => {
    for (; next < fresh.length && (path === undefined || fresh[next].path < path); next++) {
      const { embedding, ...picture } = fresh[next];
      await writer.add(picture, embedding);
    }
  };
  for (const part of parts) {
    const vectors = await index.vectors(part);
    for (const [row, picture] of (await index.pictures(part)).entries()) {
      if (replaced.has(picture.path)) continue;
      await addUntil(picture.path);
      await writer.add(picture, vectors.subarray(row * dimension, (row + 1) * dimension));
    }
  }
  await addUntil();
  await writer.finish();
}
