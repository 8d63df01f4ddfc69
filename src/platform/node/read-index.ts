/** Reads indexes of pictures, both files and folders, as one index in memory. */
import { readFile, stat } from 'node:fs/promises';
import { openIndex, type RetrievalIndex } from '../../retrieval/index-file.ts';
import { IndexFolder } from './index-folder.ts';

/**
 * Reads a whole index. Memory: 4 bytes a component, and the paths.
 * @param file an index file, or an index folder
 * @throws IndexFileError, IndexFolderError, SafetensorsError where it is no sound index; the system's error where the
 * file cannot be read
 */
export async function readIndex(file: string): Promise<RetrievalIndex> {
  const isFolder = (await stat(file)).isDirectory();
  if (!isFolder) return openIndex(await readFile(file), file);
  const index = await IndexFolder.open(file);
  const { dimension, modelChecksum, parts } = index.manifest;
  const embeddings = new Float32Array(index.count * dimension);
  const paths: string[] = [];
  const stamps = { sizes: new Float64Array(index.count), times: new Float64Array(index.count) };
  for (const part of parts) {
    embeddings.set(await index.vectors(part), paths.length * dimension);
    for (const { path, size, time } of await index.pictures(part)) {
      stamps.sizes[paths.length] = size;
      stamps.times[paths.length] = time;
      paths.push(path);
    }
  }
  return { embeddings, dimension, paths, modelChecksum, stamps };
}
