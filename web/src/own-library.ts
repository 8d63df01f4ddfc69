import type { PictureCollection } from './collections.ts';
import { changingKept, forget, indexesOf, keep, readKept } from './kept-files.ts';
import { tellTabs } from './tabs.ts';

const LIBRARY = 'library';
const LIST = `${LIBRARY}/list.json`;
const ID = 'own';

/** A small copy of a picture; its file is named by the id. */
interface Entry {
  readonly id: string;
  readonly name: string;
  readonly copy: Blob;
}

/** Addresses of the copies that were shown, by their ids. */
const urls = new Map<string, string>();

/** The visitor's own pictures at one moment. */
export class OwnCollection implements PictureCollection {
  readonly kind = 'pictures';
  readonly id = ID;
  readonly title: string;
  readonly names: readonly string[];
  readonly keys: readonly string[];

  /** @param onRemove deletes the picture with an id */
  constructor(
    private readonly entries: readonly Entry[],
    private readonly onRemove: (id: string) => Promise<void>,
  ) {
    this.names = entries.map(({ name }) => name);
    this.keys = entries.map(({ id }) => id);
    this.title = `${entries.length} pictures of your own`;
  }

  async keptKeys(): Promise<ReadonlySet<string>> {
    return new Set((await readList()).map(({ id }) => id));
  }

  thumbnail(index: number): HTMLElement {
    const { id, name, copy } = this.entries[index];
    const url = urls.get(id) ?? URL.createObjectURL(copy);
    urls.set(id, url);
    const image = document.createElement('img');
    image.className = 'thumbnail';
    image.alt = name;
    image.loading = 'lazy';
    image.src = url;
    return image;
  }

  remove(index: number): Promise<void> {
    return this.onRemove(this.entries[index].id);
  }

  picture(index: number): Blob {
    return this.entries[index].copy;
  }
}

/**
 * The visitor's own pictures, kept for the next visit and shared by all tabs: whichever tab changes the list reads it
 * first, under a lock.
 */
export class OwnLibrary {
  private kept: readonly Entry[] = [];
  /** What the browser did not keep: this tab alone has it. */
  private unkept: readonly Entry[] = [];
  private current = this.collectionOf([]);

  /** @param onRemoved hears that a picture was removed from the collection */
  constructor(private readonly onRemoved: () => void) {}

  get collection(): OwnCollection {
    return this.current;
  }

  /** Takes the list as an earlier visit or another tab left it. */
  async refresh(): Promise<void> {
    await changingKept(async () => this.take(await this.readEntries(), this.unkept));
  }

  /** Adds small copies of pictures. @returns whether they are kept for the next visit */
  async add(pictures: readonly Omit<Entry, 'id'>[]): Promise<boolean> {
    if (pictures.length === 0) return true;
    const added = pictures.map((picture) => ({ id: crypto.randomUUID(), ...picture }));
    return changingKept(async () => {
      const kept = await this.readEntries();
      const stored: Entry[] = [];
      for (const entry of added) if (await keep(`${LIBRARY}/${entry.id}`, entry.copy)) stored.push(entry);
      const listed = stored.length > 0 && (await keep(LIST, listOf([...kept, ...stored])));
      this.take(listed ? [...kept, ...stored] : kept, [
        ...this.unkept,
        ...added.filter((entry) => !listed || !stored.includes(entry)),
      ]);
      tellTabs('pictures');
      return listed && stored.length === added.length;
    });
  }

  /** Deletes one picture. Its embeddings are dropped when others are kept the next time. */
  async remove(id: string): Promise<void> {
    await changingKept(async () => {
      const kept = (await this.readEntries()).filter((entry) => entry.id !== id);
      await keep(LIST, listOf(kept));
      await forget(`${LIBRARY}/${id}`);
      this.take(
        kept,
        this.unkept.filter((entry) => entry.id !== id),
      );
      tellTabs('pictures');
    });
    this.onRemoved();
  }

  /** Deletes the pictures, and what was computed of them. */
  async forget(): Promise<void> {
    await changingKept(async () => {
      await Promise.all([forget(LIBRARY), forget(indexesOf(ID))]);
      this.take([], []);
      tellTabs('pictures');
    });
  }

  private take(kept: readonly Entry[], unkept: readonly Entry[]): void {
    this.kept = kept;
    this.unkept = unkept;
    this.current = this.collectionOf([...kept, ...unkept]);
    const keys = new Set(this.current.keys);
    for (const [id, url] of urls) {
      if (keys.has(id)) continue;
      URL.revokeObjectURL(url);
      urls.delete(id);
    }
  }

  private collectionOf(entries: readonly Entry[]): OwnCollection {
    return new OwnCollection(entries, (id) => this.remove(id));
  }

  private async readEntries(): Promise<Entry[]> {
    const known = new Map(this.kept.map((entry) => [entry.id, entry]));
    const entries = await Promise.all(
      (await readList()).map(async ({ id, name }) => {
        const copy = known.get(id)?.copy ?? (await readKept(`${LIBRARY}/${id}`));
        return copy === undefined ? [] : [{ id, name, copy }];
      }),
    );
    return entries.flat();
  }
}

const listOf = (entries: readonly Entry[]): string => JSON.stringify(entries.map(({ id, name }) => ({ id, name })));

/** The list of what is kept; a list that is damaged has nothing. */
async function readList(): Promise<readonly Omit<Entry, 'copy'>[]> {
  try {
    const list = JSON.parse((await (await readKept(LIST))?.text()) ?? '[]') as readonly unknown[];
    return list.flatMap((each, index) => {
      // Earlier versions of the page named the files by their places in the list.
      if (typeof each === 'string') return [{ id: String(index), name: each }];
      const { id, name } = (each ?? {}) as Partial<Entry>;
      return typeof id === 'string' && typeof name === 'string' ? [{ id, name }] : [];
    });
  } catch {
    return [];
  }
}
