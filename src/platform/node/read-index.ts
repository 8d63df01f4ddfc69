/** Reads indexes of pictures, both files and folders, as one index in memory. */
import { stat } from 'node:fs/promises';
import { openIndex, type RetrievalIndex } from '../../retrieval/index-file.ts';
import { ReadBuffer, readLargeFile } from './files.ts';
import type { ManifestPart } from '../../retrieval/index-folder/manifest.ts';
import { IndexFolderError, type PictureColumns } from '../../retrieval/index-folder/part.ts';
import { IndexFolder } from './index-folder.ts';

/**
 * Reads a whole index. Memory: 4 bytes a component, and the paths.
 * @param file an index file, or an index folder
 * @throws IndexFileError, IndexFolderError, SafetensorsError where it is no sound index; the system's error where the
 * file cannot be read
 */
export async function readIndex(file: string): Promise<RetrievalIndex> {
  const isFolder = (await stat(file)).isDirectory();
  if (!isFolder) return openIndex(await readLargeFile(file), file);
  const index = await IndexFolder.open(file);
  const { dimension, modelChecksum, parts } = index.manifest;
  const embeddings = newMatrix(file, index.count, dimension);
  const paths: string[] = [];
  const stamps = { sizes: new Float64Array(index.count), times: new Float64Array(index.count) };
  let rows = 0;
  // The next part is read from the disk while this one is verified.
  const buffers = Array.from({ length: 2 }, () => ({ vectors: new ReadBuffer(), pictures: new ReadBuffer() }));
  let reads = 0;
  const read = (part: ManifestPart | undefined): Promise<PictureColumns> | undefined => {
    if (part === undefined) return undefined;
    const into = embeddings.subarray(rows * dimension, (rows + part.rows) * dimension);
    rows += part.rows;
    const buffer = buffers[reads++ % 2];
    return Promise.all([index.pictureColumns(part, buffer.pictures), index.vectors(part, into, buffer.vectors)]).then(
      ([pictures]) => pictures,
    );
  };
  let next = read(parts[0]);
  for (let i = 0; next !== undefined; i++) {
    const pictures: PictureColumns = await next;
    next = read(parts[i + 1]);
    stamps.sizes.set(pictures.sizes, paths.length);
    stamps.times.set(pictures.times, paths.length);
    for (const path of pictures.paths) paths.push(path);
  }
  return { embeddings, dimension, paths, modelChecksum, stamps };
}

/** Node 20's largest array has 4 GiB: 8.3 million rows of 128. */
function newMatrix(folder: string, rows: number, dimension: number): Float32Array {
  try {
    return new Float32Array(rows * dimension);
  } catch (cause) {
    const gib = (4 * rows * dimension) / 2 ** 30;
    throw new IndexFolderError(
      `${folder} has ${rows} vectors, ${gib.toFixed(1)} GiB, more than an array of this Node (${process.version}) or the memory can hold; use Node 22 or newer, or search its shards`,
      { cause },
    );
  }
}
