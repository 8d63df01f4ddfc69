/** The icons that come with the page. It is a chunk of its own, which comes when they are chosen. */
import { transfer, type Remote } from 'comlink';
import { iconId, setOfRow } from '../../src/retrieval/icon-index.ts';
import type { IconFilter } from '../../src/retrieval/icon-ranking.ts';
import { ICON_STYLES, type IconStyle } from '../../src/retrieval/icon-style.ts';
import type { IndexedCollection } from './collections.ts';
import type { Engine, Found } from './engine.ts';
import { Downloads, type DownloadProgress } from './fetching.ts';
import { ICON_INDEX, placeOfIcon } from './icon-files.ts';
import { chosenFilters, licenceText, offerFilters } from './icon-filters.ts';
import type { IconListing } from './icon-search.ts';
import { keepOnDemand } from './page-files.ts';
import { explain, trouble } from './page.ts';
import type { Query } from './pictures.ts';

export class IconCollection implements IndexedCollection {
  readonly kind = 'indexed';
  readonly title: string;
  /** Such as tabler:heart. */
  readonly names: readonly string[];
  readonly modelChecksum: string;
  /** The SVG documents of each requested file, by its path. */
  private readonly files = new Map<string, Promise<readonly string[]>>();

  private constructor(
    private readonly engine: Remote<Engine>,
    private readonly listing: IconListing,
    title: string,
  ) {
    this.title = title;
    this.names = listing.names.map((_, row) => iconId(listing, row));
    this.modelChecksum = listing.modelChecksum;
  }

  /** Fetches the index. @param onFilter hears when another filter is chosen */
  static async load(
    engine: Remote<Engine>,
    title: string,
    onProgress: DownloadProgress,
    onFilter: () => void,
  ): Promise<IconCollection> {
    const bytes = await new Downloads([ICON_INDEX], onProgress).fetch(ICON_INDEX);
    keepOnDemand(ICON_INDEX, bytes);
    const listing = await engine.openIcons(transfer(bytes, [bytes.buffer]), ICON_INDEX);
    offerFilters(
      { sets: listing.sets, styles: ICON_STYLES.filter((_, style) => listing.styles.includes(style)) },
      onFilter,
    );
    return new IconCollection(engine, listing, title);
  }

  about(index: number): string {
    const { title, licence } = setOfRow(this.listing.sets, index);
    return `${title}, ${licenceText(licence)}`;
  }

  thumbnail(index: number): HTMLElement {
    const image = Object.assign(new Image(), { className: 'thumbnail', alt: this.names[index], decoding: 'sync' });
    this.svg(index).then(
      (svg) => (image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`),
      (error: unknown) => trouble(explain(error)),
    );
    return image;
  }

  async svg(index: number): Promise<string> {
    const { path, place } = placeOfIcon(this.listing.sets, index);
    const file = this.files.get(path) ?? fetchDrawings(path);
    this.files.set(path, file);
    // What could not be fetched is requested again the next time.
    file.catch(() => this.files.delete(path));
    return (await file)[place];
  }

  search(query: Query, top: number): Promise<Found> {
    return this.engine.searchIcons(query, top, filter());
  }

  searchLike(index: number, top: number): Promise<Found['results']> {
    return this.engine.rankLikeIcon(index, top, filter());
  }
}

function filter(): IconFilter {
  const chosen = chosenFilters();
  const [set, style, licence] = [
    chosen.get('set'),
    chosen.get('style') as IconStyle | undefined,
    chosen.get('licence'),
  ];
  return {
    sets: set === undefined ? [] : [set],
    styles: style === undefined ? [] : [style],
    licences: licence === undefined ? [] : [licence],
  };
}

/** @throws Error with the path, where the server has no such file or the connection ends */
async function fetchDrawings(path: string): Promise<readonly string[]> {
  try {
    const response = await fetch(`./${path}`);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
    const bytes = new Uint8Array(await response.arrayBuffer());
    keepOnDemand(path, bytes);
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return (await new Response(unpacked).json()) as readonly string[];
  } catch (cause) {
    throw new Error(`./${path} cannot be loaded: ${explain(cause)}`, { cause });
  }
}
