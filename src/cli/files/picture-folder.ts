import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { isHidden } from '../../platform/node/hidden-files.ts';
import { IMAGE_EXTENSIONS, thumbnail } from '../../platform/node/images.ts';
import { listPictures } from '../../platform/node/picture-files.ts';
import type { RetrievalIndex } from '../../retrieval/index-file.ts';

/** The longer side of a thumbnail, in pixels. */
export const THUMBNAIL = 256;
/** Files that are looked at together. */
const AT_A_TIME = 256;

/** A picture in the folder. */
export interface FolderPicture {
  /** Its path from the folder, parts separated by /. */
  readonly name: string;
  readonly file: string;
  /** In bytes. */
  readonly size: number;
  /** Of the last change, in milliseconds since 1970. */
  readonly time: number;
}

/** A picture of an index that is in the folder. */
export interface IndexedFolderPicture extends FolderPicture {
  /** Its row in the index. */
  readonly row: number;
  /** Its path in the index. */
  readonly path: string;
}

/** The pictures in a folder that may be shown. A link counts as its target, which must be in the folder too. */
export class PictureFolder {
  private constructor(
    readonly folder: string,
    private readonly root: string,
  ) {}

  static async open(folder: string): Promise<PictureFolder> {
    return new PictureFolder(folder, await realpath(folder));
  }

  /** The pictures that are there now, by their names. */
  async list(): Promise<Map<string, FolderPicture>> {
    const pictures = new Map<string, FolderPicture>();
    for (const name of (await listPictures(this.folder)).names) pictures.set(name, this.picture(name));
    return pictures;
  }

  /**
   * The pictures at a path from the folder now: one if it is a picture, those in it if it is a folder. Links to folders
   * are not followed.
   */
  async at(name: string): Promise<FolderPicture[]> {
    if (isHidden(name)) return [];
    const file = path.join(this.folder, name);
    const found = await stat(file).catch(() => undefined);
    if (found?.isDirectory() === true) {
      const { names } = await listPictures(file).catch(() => ({ names: [] }));
      return names.map((inner) => this.picture(path.join(name, inner)));
    }
    return found?.isFile() === true && IMAGE_EXTENSIONS.includes(path.extname(name).toLowerCase())
      ? [this.picture(name)]
      : [];
  }

  /** A picture with its size and time now; undefined if it is gone or leads out of the folder. */
  async look(picture: FolderPicture): Promise<FolderPicture | undefined> {
    const place = await placeWithin(this.root, picture.file);
    const found = place === undefined || isHidden(place) ? undefined : await stat(picture.file).catch(() => undefined);
    return found?.isFile() === true ? { ...picture, size: found.size, time: found.mtimeMs } : undefined;
  }

  /** Pictures of an index that are there. @param index whose paths begin where the process runs, or in the folder */
  async find(index: Pick<RetrievalIndex, 'paths'>): Promise<IndexedFolderPicture[]> {
    const listed = await this.list();
    const found: IndexedFolderPicture[] = [];
    for (let start = 0; start < index.paths.length; start += AT_A_TIME) {
      const rows = await Promise.all(
        index.paths.slice(start, start + AT_A_TIME).map(async (name, offset) => {
          const picture = await this.findOne(name, listed);
          return picture && { ...picture, row: start + offset, path: name };
        }),
      );
      found.push(...rows.filter((entry) => entry !== undefined));
    }
    return found;
  }

  /** A thumbnail of a picture, as WebP; undefined where its file went away or became another one. */
  thumbnail(file: string): Promise<Uint8Array | undefined> {
    return thumbnailWithin(this.root, file);
  }

  private async findOne(name: string, listed: ReadonlyMap<string, FolderPicture>): Promise<FolderPicture | undefined> {
    for (const file of [path.resolve(name), path.resolve(this.folder, name)]) {
      const real = await placeWithin(this.root, file);
      if (real === undefined) continue;
      // By the name that the user knows, and not by where links lead, as long as that begins in the folder.
      const known = path.relative(path.resolve(this.folder), file);
      const shown = listed.get(known.startsWith('..') ? real : known);
      // What is not listed, because it is hidden or no file, is not shown to others.
      return shown && this.look(shown);
    }
    return undefined;
  }

  private picture(name: string): FolderPicture {
    return { name: name.split(path.sep).join('/'), file: path.join(this.folder, name), size: 0, time: 0 };
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
