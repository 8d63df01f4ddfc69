import { forget, indexesOf, keep, readKept } from './kept-files.ts';
import type { Picture } from './engine.ts';

/** Pictures that can be searched. */
export interface Collection {
  readonly id: string;
  readonly title: string;
  readonly names: readonly string[];
  /** An element that shows picture i. */
  thumbnail(index: number): HTMLElement;
  /** Picture i for the network. */
  picture(index: number): Picture;
}

/** The emoji that come with the page: one sheet of tiles. */
export class EmojiCollection implements Collection {
  readonly id = 'emoji';
  readonly title: string;
  readonly names: readonly string[];

  private constructor(private readonly sheet: Blob, private readonly url: string, private readonly layout: SheetLayout) {
    this.names = layout.names;
    this.title = `${layout.names.length} emoji it never saw`;
  }

  static async load(): Promise<EmojiCollection> {
    const layout = (await (await fetchOk('./emoji.json')).json()) as SheetLayout;
    const sheet = await (await fetchOk('./emoji.webp')).blob();
    return new EmojiCollection(sheet, URL.createObjectURL(sheet), layout);
  }

  thumbnail(index: number): HTMLElement {
    const { columns, names } = this.layout;
    const rows = Math.ceil(names.length / columns);
    const tile = document.createElement('div');
    tile.className = 'thumbnail';
    tile.setAttribute('role', 'img');
    tile.setAttribute('aria-label', names[index]);
    tile.style.backgroundImage = `url(${this.url})`;
    tile.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
    tile.style.backgroundPosition = `${(100 * (index % columns)) / (columns - 1)}% ${(100 * Math.floor(index / columns)) / Math.max(1, rows - 1)}%`;
    return tile;
  }

  picture(index: number): Picture {
    const { columns, tile } = this.layout;
    return { sheet: this.sheet, left: (index % columns) * tile, top: Math.floor(index / columns) * tile, side: tile };
  }
}

interface SheetLayout {
  /** Side of a tile in pixels. */
  readonly tile: number;
  readonly columns: number;
  /** Of each tile, row after row: its class and who drew it. */
  readonly names: readonly string[];
}

const LIBRARY = 'library';

/** The visitor's own pictures, small copies of which are kept for the next visit. */
export class OwnCollection implements Collection {
  readonly id = 'own';
  readonly names: string[];
  private readonly urls: string[] = [];

  private constructor(private readonly entries: { readonly name: string; readonly copy: Blob }[]) {
    this.names = entries.map(({ name }) => name);
  }

  get title(): string {
    return `${this.names.length} pictures of your own`;
  }

  /** What an earlier visit left. */
  static async restore(): Promise<OwnCollection> {
    const list = await readKept(`${LIBRARY}/list.json`);
    const names = list === undefined ? [] : (JSON.parse(await list.text()) as string[]);
    const copies = await Promise.all(names.map((_, index) => readKept(`${LIBRARY}/${index}`)));
    return new OwnCollection(names.flatMap((name, index) => (copies[index] === undefined ? [] : [{ name, copy: copies[index] }])));
  }

  /** Adds small copies of pictures. @returns whether they are kept for the next visit */
  async add(pictures: readonly { readonly name: string; readonly copy: Blob }[]): Promise<boolean> {
    let kept = true;
    for (const { name, copy } of pictures) {
      kept = (await keep(`${LIBRARY}/${this.entries.length}`, copy)) && kept;
      this.entries.push({ name, copy });
      this.names.push(name);
    }
    return (await keep(`${LIBRARY}/list.json`, JSON.stringify(this.names))) && kept;
  }

  async forget(): Promise<void> {
    await Promise.all([forget(LIBRARY), forget(indexesOf(this.id))]);
    this.urls.forEach((url) => URL.revokeObjectURL(url));
    this.entries.length = this.names.length = this.urls.length = 0;
  }

  thumbnail(index: number): HTMLElement {
    const image = document.createElement('img');
    image.className = 'thumbnail';
    image.alt = this.names[index];
    image.loading = 'lazy';
    image.src = this.urls[index] ??= URL.createObjectURL(this.entries[index].copy);
    return image;
  }

  picture(index: number): Picture {
    return this.entries[index].copy;
  }
}

/** @throws Error with the address, where the server has no such file */
export async function fetchOk(address: string): Promise<Response> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} cannot be loaded: ${response.status} ${response.statusText}`);
  return response;
}
