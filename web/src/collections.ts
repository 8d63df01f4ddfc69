import type { Downloads } from './fetching.ts';
import type { Tile } from './pictures.ts';

/** Pictures that can be searched. A collection never changes: another list of pictures is another collection. */
export interface Collection {
  /** Names its kept indexes. */
  readonly id: string;
  readonly title: string;
  readonly names: readonly string[];
  /** Of each picture: equal keys mean equal pictures, also in another visit. */
  readonly keys: readonly string[];
  /** The keys of the pictures that may have kept embeddings. They are read again: another tab may have changed them. */
  keptKeys(): Promise<ReadonlySet<string>>;
  /** An element that shows picture i. */
  thumbnail(index: number): HTMLElement;
  /** Picture i for the network. */
  picture(index: number): Blob | Tile;
}

/** The emoji that come with the page: one sheet of tiles. */
export class EmojiCollection implements Collection {
  readonly id = 'emoji';
  readonly title: string;
  readonly names: readonly string[];
  readonly keys: readonly string[];

  private constructor(private readonly sheet: Blob, private readonly url: string, private readonly layout: SheetLayout) {
    this.names = layout.names;
    this.keys = layout.names.map((name, index) => `${index} ${name}`);
    this.title = `${layout.names.length} emoji it never saw`;
  }

  static readonly files = ['emoji.json', 'emoji.webp'];

  static async load(downloads: Downloads): Promise<EmojiCollection> {
    const [layout, sheet] = await Promise.all(EmojiCollection.files.map((path) => downloads.fetch(path)));
    const blob = new Blob([sheet]);
    return new EmojiCollection(blob, URL.createObjectURL(blob), JSON.parse(new TextDecoder().decode(layout)) as SheetLayout);
  }

  keptKeys(): Promise<ReadonlySet<string>> {
    return Promise.resolve(new Set(this.keys));
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

  picture(index: number): Tile {
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
