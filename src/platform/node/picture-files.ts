/** The one way in which folders of pictures are listed: by `embed`, `serve`, and every layout of a data set. */
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { isHidden } from './hidden-files.ts';
import { IMAGE_EXTENSIONS, UNREAD_EXTENSIONS } from './images.ts';

/** What is in a folder and was left out for a reason that a user should hear. */
export interface SkippedEntry {
  readonly path: string;
  readonly reason: string;
}

export interface PictureListing {
  /** Paths from the folder, sorted. */
  readonly names: readonly string[];
  readonly skipped: readonly SkippedEntry[];
  /** Pictures of formats that are not read, by the ending of their names. */
  readonly unread: ReadonlyMap<string, number>;
}

/**
 * The pictures in a folder and, if `deep`, in the folders in it. Links are followed, and each folder is listed once, by
 * its own name rather than by a link's. Hidden files and folders and those that systems keep are passed over, under
 * their names and where links lead. What cannot be read, leads nowhere or is no file is skipped, and told.
 * @throws the system's error where the folder itself cannot be read
 */
export async function listPictures(folder: string, { deep = true } = {}): Promise<PictureListing> {
  const walk = new Walk(folder, await realpath(folder));
  await walk.enter('');
  if (deep) await walk.all();
  return { names: walk.pictures.sort(), skipped: walk.skipped, unread: walk.unread };
}

/**
 * Names of the folders in a folder, sorted, by the rules of `listPictures`. @throws the system's error where the folder
 * itself cannot be read
 */
export async function listFolders(
  folder: string,
): Promise<{ readonly names: readonly string[]; readonly skipped: readonly SkippedEntry[] }> {
  const walk = new Walk(folder, await realpath(folder));
  await walk.enter('');
  return { names: walk.folders.concat(walk.links).sort(), skipped: walk.skipped };
}

/** Pictures that are not read, as a sentence; undefined where there are none. */
export function describeUnread({ unread }: Pick<PictureListing, 'unread'>, folder: string): string | undefined {
  if (unread.size === 0) return undefined;
  const counts = [...unread].map(([ending, count]) => `${count} ${ending}`).join(', ');
  return `${folder}: ${counts} passed over: these formats are not read; convert them to JPEG or PNG`;
}

class Walk {
  readonly pictures: string[] = [];
  readonly skipped: SkippedEntry[] = [];
  readonly unread = new Map<string, number>();
  /** Folders that are to be listed, and links to folders, which wait until all folders are. */
  readonly folders: string[] = [];
  readonly links: string[] = [];
  private readonly entered = new Set<string>();

  constructor(
    private readonly root: string,
    private readonly realRoot: string,
  ) {}

  async all(): Promise<void> {
    for (let name = this.next(); name !== undefined; name = this.next()) {
      await this.enter(name).catch((error: unknown) => this.skip(name as string, error));
    }
  }

  private next(): string | undefined {
    return this.folders.pop() ?? this.links.shift();
  }

  /** Lists one folder, unless it was listed before under another name. */
  async enter(folder: string): Promise<void> {
    const where = path.join(this.root, folder);
    const { dev, ino } = await stat(where, { bigint: true });
    if (this.entered.has(`${dev} ${ino}`)) return;
    this.entered.add(`${dev} ${ino}`);
    const entries = await readdir(where, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (isHidden(entry.name)) continue;
      const name = path.join(folder, entry.name);
      // Some file systems do not say what an entry is. A name that is not UTF-8 cannot be opened as it is shown.
      if (entry.name.includes('\uFFFD')) await this.follow(name).catch((error: unknown) => this.skip(name, error));
      else if (entry.isDirectory()) this.folders.push(name);
      else if (entry.isFile()) this.take(name, true);
      else await this.follow(name).catch((error: unknown) => this.skip(name, error));
    }
  }

  private async follow(name: string): Promise<void> {
    const file = path.join(this.root, name);
    const found = await stat(file);
    const place = path.relative(this.realRoot, await realpath(file));
    if (!place.startsWith('..') && isHidden(place)) return;
    if (found.isDirectory()) this.links.push(name);
    else this.take(name, found.isFile());
  }

  private take(name: string, isFile: boolean): void {
    const ending = path.extname(name).toLowerCase();
    if (IMAGE_EXTENSIONS.includes(ending)) {
      if (isFile) this.pictures.push(name);
      else this.skipped.push({ path: path.join(this.root, name), reason: 'it is no file' });
    } else if (UNREAD_EXTENSIONS.includes(ending)) this.unread.set(ending, (this.unread.get(ending) ?? 0) + 1);
  }

  private skip(name: string, error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT'
        ? name.includes('\uFFFD')
          ? 'its name is not UTF-8; rename it'
          : 'the link leads nowhere'
        : code === 'ELOOP'
          ? 'the link leads to itself'
          : `it cannot be read: ${message}`;
    this.skipped.push({ path: path.join(this.root, name), reason });
  }
}
