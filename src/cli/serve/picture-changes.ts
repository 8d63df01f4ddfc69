import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { IMAGE_EXTENSIONS, ImageError } from '../../platform/node/images.ts';
import type { SearchService } from '../../server/search-service.ts';
import type { FolderPicture, PictureFolder } from '../files/picture-folder.ts';
import { note } from '../display/progress.ts';
import type { IndexKeeper } from './index-keeper.ts';

/** Pictures that are looked at together, and that are read and embedded together. */
const LOOKED_AT = 256;
const EMBEDDED = 8;

/** A picture that is searched. */
export interface ServedPicture extends FolderPicture {
  /** Its path in the index. */
  readonly path: string;
}

/** How many pictures changed. */
export interface ChangeCounts {
  added: number;
  changed: number;
  removed: number;
  /** Files that cannot be decoded. */
  skipped: number;
}

/** Brings the pictures that are searched up to date with their folder, one change after the other. */
export class PictureChanges {
  /** By row; those that were removed stay. */
  readonly pictures: (ServedPicture | undefined)[];
  /** Rows of the pictures that are searched, by name. */
  private readonly rows = new Map<string, number>();
  /** Files that cannot be decoded, with the size and time at which that was found. */
  private readonly skipped = new Map<string, FolderPicture>();
  /** Paths that are to be looked at; undefined if the whole folder is. */
  private waiting: Set<string> | undefined = new Set();
  private running: Promise<void> | undefined;
  private stopped = false;

  /**
   * @param pictures by their rows in the service; undefined for a row that is not searched
   * @param pathOf the path in the index of a picture of the folder
   * @param onChanges hears of each group of changes
   */
  constructor(
    private readonly folder: PictureFolder,
    private readonly service: SearchService,
    pictures: readonly (ServedPicture | undefined)[],
    private readonly pathOf: (picture: FolderPicture) => string,
    private readonly keeper: IndexKeeper | undefined,
    private readonly onChanges: (counts: ChangeCounts) => void,
  ) {
    this.pictures = [...pictures];
    for (const [row, picture] of pictures.entries()) if (picture !== undefined) this.rows.set(picture.name, row);
  }

  /** @param paths from the folder, of files and folders that may have changed; undefined: all */
  update(paths: readonly string[] | undefined): void {
    if (this.stopped) return;
    if (paths === undefined) this.waiting = undefined;
    else for (const name of paths) this.waiting?.add(name.split(path.sep).join('/'));
    this.running ??= this.run().finally(() => (this.running = undefined));
  }

  resume(): void {
    this.stopped = false;
  }

  /** Ends after the pictures that are being embedded, until `resume`. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    const counts: ChangeCounts = { added: 0, changed: 0, removed: 0, skipped: 0 };
    while (!this.stopped && this.waiting?.size !== 0) {
      const paths = this.waiting;
      this.waiting = new Set();
      try {
        await this.compare(paths, counts);
      } catch (error) {
        note(`${this.folder.folder} was not looked through: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    const told = (['added', 'changed', 'removed'] as const).filter((kind) => counts[kind] > 0);
    if (told.length > 0)
      note(
        `${this.folder.folder}: ${told.map((kind) => `${counts[kind]} ${kind}`).join(', ')}; ${this.service.rows.searched} pictures`,
      );
  }

  private async compare(paths: ReadonlySet<string> | undefined, counts: ChangeCounts): Promise<void> {
    const there = paths === undefined ? await this.folder.list() : await this.thereAt(paths);
    const names = [...new Set([...there.keys(), ...(paths === undefined ? this.rows.keys() : this.rowsAt(paths))])];
    for (let start = 0; start < names.length && !this.stopped; start += LOOKED_AT) {
      const gone: string[] = [];
      const fresh: FolderPicture[] = [];
      await Promise.all(
        names.slice(start, start + LOOKED_AT).map(async (name) => {
          const listed = there.get(name);
          const picture = listed && (await this.folder.look(listed));
          if (picture === undefined) gone.push(name);
          else if (!isSame(picture, this.known(name))) fresh.push(picture);
        }),
      );
      for (const name of gone) this.skipped.delete(name);
      await this.apply(gone, [], counts);
      for (let next = 0; next < fresh.length && !this.stopped; next += EMBEDDED)
        await this.embed(fresh.slice(next, next + EMBEDDED), counts);
    }
  }

  private known(name: string): FolderPicture | undefined {
    return this.skipped.get(name) ?? this.pictures[this.rows.get(name) ?? -1];
  }

  private async thereAt(paths: ReadonlySet<string>): Promise<Map<string, FolderPicture>> {
    const there = new Map<string, FolderPicture>();
    for (const name of paths) for (const picture of await this.folder.at(name)) there.set(picture.name, picture);
    return there;
  }

  /** Pictures that are searched and were at these paths, or in folders at them. */
  private rowsAt(paths: ReadonlySet<string>): string[] {
    const pictures = [...paths].filter((name) => this.rows.has(name));
    // What is not a picture may have been a folder.
    if ([...paths].every((name) => IMAGE_EXTENSIONS.includes(path.extname(name).toLowerCase()))) return pictures;
    const inFolders = [...this.rows.keys()].filter((name) => {
      for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1))
        if (paths.has(name.slice(0, end))) return true;
      return false;
    });
    return [...pictures, ...inFolders];
  }

  private async embed(pictures: readonly FolderPicture[], counts: ChangeCounts): Promise<void> {
    const read = await Promise.all(
      pictures.map(async (picture) => {
        const bytes = await readFile(picture.file).catch(() => undefined);
        return bytes && { picture, bytes };
      }),
    );
    // What went away in the meantime is heard of.
    const there = read.filter((entry) => entry !== undefined);
    const embedded = await this.service.embedPictures(there.map(({ bytes }) => bytes));
    const broken: string[] = [];
    const fresh: Fresh[] = [];
    for (const [place, { picture }] of there.entries()) {
      const found = embedded[place];
      if (!(found instanceof ImageError)) {
        this.skipped.delete(picture.name);
        fresh.push({ ...picture, ...found, path: this.pathOf(picture) });
        continue;
      }
      note(`skipped: ${found.message.replace('the picture', picture.file)}`);
      this.skipped.set(picture.name, picture);
      broken.push(picture.name);
      counts.skipped++;
      this.onChanges({ added: 0, changed: 0, removed: 0, skipped: 1 });
    }
    await this.apply(broken, fresh, counts);
  }

  /** @param gone names of pictures that are not to be found any more */
  private async apply(gone: readonly string[], fresh: readonly Fresh[], counts: ChangeCounts): Promise<void> {
    const removed = gone.filter((name) => this.rows.has(name));
    const replaced = fresh.filter(({ name }) => this.rows.has(name)).map(({ name }) => name);
    if (removed.length + fresh.length === 0) return;
    const oldRows = [...removed, ...replaced].map((name) => this.rows.get(name) as number);
    const first = this.service.rows.count;
    const done = this.service.change(
      fresh.map(({ name, size, time, embedding }) => ({ path: name, size, time, embedding })),
      oldRows,
    );
    for (const name of removed) {
      this.keeper?.remove(this.pictures[this.rows.get(name) as number]?.path ?? name);
      this.rows.delete(name);
    }
    for (const row of oldRows) this.pictures[row] = undefined;
    for (const [place, { embedding, digest, ...picture }] of fresh.entries()) {
      this.pictures[first + place] = picture;
      this.rows.set(picture.name, first + place);
      this.keeper?.add({ path: picture.path, size: picture.size, time: picture.time, digest, embedding });
    }
    const change = {
      added: fresh.length - replaced.length,
      changed: replaced.length,
      removed: removed.length,
      skipped: 0,
    };
    counts.added += change.added;
    counts.changed += change.changed;
    counts.removed += change.removed;
    this.onChanges(change);
    await done;
  }
}

interface Fresh extends ServedPicture {
  readonly embedding: Float32Array;
  readonly digest: string;
}

const isSame = (now: FolderPicture, before: FolderPicture | undefined): boolean =>
  before !== undefined && now.size === before.size && now.time === before.time;
