import type { Downloads } from './fetching.ts';
import type { Found } from './engine.ts';
import type { Query, Tile } from './pictures.ts';

/** What can be searched. A collection never changes: another list of pictures is another collection. */
export type Collection = PictureCollection | IndexedCollection;

interface Shown {
  readonly title: string;
  readonly names: readonly string[];
  /** An element that shows picture i. */
  thumbnail(index: number): HTMLElement;
}

/** Pictures that the page embeds itself, and ranks by these embeddings. */
export interface PictureCollection extends Shown {
  readonly kind: 'pictures';
  /** Names its kept indexes. */
  readonly id: string;
  /** Of each picture: equal keys mean equal pictures, also in another visit. */
  readonly keys: readonly string[];
  /** The keys of the pictures that may have kept embeddings. They are read again: another tab may have changed them. */
  keptKeys(): Promise<ReadonlySet<string>>;
  /** Deletes a picture, where that is possible; the collection without it is another one. */
  remove?(index: number): Promise<void>;
  /** Picture i for the network. */
  picture(index: number): Blob | Tile;
}

/** Drawings that come with an index, by which the worker ranks them. */
export interface IndexedCollection extends Shown {
  readonly kind: 'indexed';
  /** The checksum of the model that made the index: no other model can search it. */
  readonly modelChecksum: string;
  /** Beside the name of drawing i: where it is from. */
  about(index: number): string;
  /** Drawing i as an SVG document. */
  svg(index: number): Promise<string>;
  /** What is nearest to a query, of what the filters let through. */
  search(query: Query, top: number): Promise<Found>;
  /** What is nearest to one of the drawings, which is among them. */
  searchLike(index: number, top: number): Promise<Found['results']>;
}

/** A collection that is fetched when it is chosen. */
export interface AbsentCollection {
  readonly kind: 'absent';
  readonly title: string;
  load(): Promise<Collection>;
}

/** The emoji that come with the page: one sheet of tiles. */
export class EmojiCollection implements PictureCollection {
  readonly kind = 'pictures';
  readonly id = 'emoji';
  readonly title: string;
  readonly names: readonly string[];
  readonly keys: readonly string[];

  private constructor(
    private readonly sheet: Blob,
    private readonly url: string,
    private readonly layout: SheetLayout,
  ) {
    this.names = layout.names;
    this.keys = layout.names.map((name, index) => `${index} ${name}`);
    this.title = `${layout.names.length} emoji it never saw`;
  }

  static readonly files = ['emoji.json', 'emoji.webp'];

  static async load(downloads: Downloads): Promise<EmojiCollection> {
    const [layout, sheet] = await Promise.all(EmojiCollection.files.map((path) => downloads.fetch(path)));
    const blob = new Blob([sheet]);
    return new EmojiCollection(
      blob,
      URL.createObjectURL(blob),
      JSON.parse(new TextDecoder().decode(layout)) as SheetLayout,
    );
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
