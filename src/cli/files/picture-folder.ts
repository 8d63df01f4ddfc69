import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { isHidden } from '../../platform/node/hidden-files.ts';
import { thumbnail } from '../../platform/node/images.ts';
import { listPictures } from '../../platform/node/picture-files.ts';
import type { RetrievalIndex } from '../../retrieval/index-file.ts';

/** The longer side of a thumbnail, in pixels. */
const THUMBNAIL = 256;

/**
 * Pictures of an index that lie in a folder. They are requested by their rows in `index`, never by a path, so that
 * no other file can be requested; a link counts as its target.
 */
export class PictureFolder {
  /** Of the pictures that are there, with their paths from the folder, parts separated by /. */
  readonly index: RetrievalIndex;
  /** Paths of the index that are not there, or lead out of the folder. */
  readonly leftOut: readonly string[];

  private constructor(
    private readonly root: string,
    private readonly files: readonly string[],
    index: RetrievalIndex,
    leftOut: readonly string[],
  ) {
    this.index = index;
    this.leftOut = leftOut;
  }

  /** @param index whose paths begin where the process runs, as `sketchgrad embed` wrote them, or in the folder */
  static async open(folder: string, index: RetrievalIndex): Promise<PictureFolder> {
    const root = await realpath(folder);
    const listed = new Set((await listPictures(folder)).names);
    const found = await Promise.all(
      index.paths.map(async (name, row) => {
        for (const file of [path.resolve(name), path.resolve(folder, name)]) {
          const real = await placeWithin(root, file);
          if (real === undefined) continue;
          // By the name that the user knows, and not by where links lead, as long as that begins in the folder.
          const known = path.relative(path.resolve(folder), file);
          const shown = known.startsWith('..') ? real : known;
          // What is not listed, because it is hidden or no file, is not shown to others.
          if (!listed.has(shown)) return undefined;
          const found = await stat(file).catch(() => undefined);
          if (found === undefined) return undefined;
          const { size, mtimeMs } = found;
          return { row, file, name: shown.split(path.sep).join('/'), size, time: mtimeMs };
        }
        return undefined;
      }),
    );
    const kept = found.filter((entry) => entry !== undefined);
    const { embeddings, dimension, modelChecksum } = index;
    const rows = new Float32Array(kept.length * dimension);
    kept.forEach(({ row }, place) =>
      rows.set(embeddings.subarray(row * dimension, (row + 1) * dimension), place * dimension),
    );
    const leftOut = index.paths.filter((_, row) => found[row] === undefined);
    return new PictureFolder(
      root,
      kept.map(({ file }) => file),
      {
        embeddings: rows,
        dimension,
        paths: kept.map(({ name }) => name),
        modelChecksum,
        stamps: {
          sizes: Float64Array.from(kept, ({ size }) => size),
          times: Float64Array.from(kept, ({ time }) => time),
        },
      },
      leftOut,
    );
  }

  /**
   * A picture, small and upright, as WebP; undefined where there is no such row, or its file went away or became
   * another one.
   */
  async thumbnail(row: number): Promise<Uint8Array | undefined> {
    const file = this.files[row];
    return file === undefined ? undefined : thumbnailWithin(this.root, file);
  }
}

/**
 * A picture, small and upright, as WebP; undefined where the file is not in the folder, is hidden, or is no picture.
 * @param root a folder as realpath gives it
 */
export async function thumbnailWithin(root: string, file: string): Promise<Uint8Array | undefined> {
  const place = await placeWithin(root, file);
  if (
    place === undefined ||
    isHidden(place) ||
    !(await stat(file).then(
      (found) => found.isFile(),
      () => false,
    ))
  )
    return undefined;
  return thumbnail(file, THUMBNAIL).catch(() => undefined);
}

/** The way from a folder to where a file really is; undefined where it is not in there. */
async function placeWithin(root: string, file: string): Promise<string | undefined> {
  const real = await realpath(file).catch(() => undefined);
  const way = real === undefined ? '' : path.relative(root, real);
  return way === '' || way === '..' || way.startsWith(`..${path.sep}`) || path.isAbsolute(way) ? undefined : way;
}
