import type { IconIndex, IndexedIconSet } from './icon-index.ts';
import { ICON_STYLES, type IconStyle } from './icon-style.ts';
import { Int8Cosine } from './int8-vectors.ts';
import { BestItems, type RankedItem } from './ranking.ts';
import { requireCount, RetrievalError } from './vectors.ts';

/** Which icons are searched; what is left out or empty lets all through. */
export interface IconFilter {
  /** Prefixes, such as tabler. */
  readonly sets?: readonly string[];
  readonly styles?: readonly IconStyle[];
  /** SPDX identifiers or titles of licences, such as MIT; capitals do not matter. */
  readonly licences?: readonly string[];
}

/** What a ranking needs of an index. */
export type RankedIcons = Pick<IconIndex, 'sets' | 'styles' | 'vectors' | 'dimension'>;

/** Ranks the icons of an index by the cosine of their vectors with a query's embedding. */
export class IconRanking {
  private readonly cosine: Int8Cosine;

  constructor(private readonly icons: RankedIcons) {
    this.cosine = new Int8Cosine(icons.vectors, icons.dimension);
  }

  /**
   * The k icons nearest to a query, best first; fewer where the filter lets fewer through.
   * @param embedding [dimension]; its length does not matter
   * @throws RetrievalError where sizes disagree, a value is not finite, or the filter names what is not in the index
   */
  rank(embedding: Float32Array, k: number, filter: IconFilter = {}): RankedItem[] {
    this.cosine.setQuery(embedding);
    return this.best(k, filter);
  }

  /**
   * The k icons most like one of the index, which is the first of them where the filter lets it through.
   * @param row of the index
   * @throws RangeError where there is no such row, RetrievalError as `rank` does
   */
  rankLike(row: number, k: number, filter: IconFilter = {}): RankedItem[] {
    this.cosine.setQueryRow(row);
    return this.best(k, filter);
  }

  private best(k: number, filter: IconFilter): RankedItem[] {
    requireCount('k', k);
    checkFilter(this.icons.sets, filter);
    const { sets, styles } = this.icons;
    const wanted = ICON_STYLES.map((style) => isIn(style, filter.styles));
    const best = new BestItems(k);
    let first = 0;
    for (const set of sets) {
      const end = first + set.count;
      if (isIn(set.prefix, filter.sets) && hasLicence(set, filter.licences)) {
        this.cosine.each(first, end, (row, cosine) => {
          if (wanted[styles[row]]) best.offer(row, cosine);
        });
      }
      first = end;
    }
    return best.list();
  }
}

/** The identifier of a set's licence, or its title where it has none. */
export const licenceName = ({ licence: { spdx, title } }: Pick<IndexedIconSet, 'licence'>): string => spdx || title;

/** @throws RetrievalError where the filter names a set, a style or a licence that is not there, with those that are */
export function checkFilter(sets: readonly IndexedIconSet[], filter: IconFilter): void {
  const require = (
    what: string,
    named: readonly string[] = [],
    has: (name: string) => boolean,
    known: readonly string[],
  ): void => {
    const unknown = named.find((name) => !has(name));
    if (unknown !== undefined)
      throw new RetrievalError(
        `the index has no ${what} ${JSON.stringify(unknown)}; it has ${[...new Set(known)].sort().join(', ')}`,
      );
  };
  require('set', filter.sets, (name) => sets.some(({ prefix }) => prefix === name), sets.map(({ prefix }) => prefix));
  require('style', filter.styles, (name) => ICON_STYLES.some((style) => style === name), ICON_STYLES);
  require('licence', filter.licences, (name) => sets.some((set) => hasLicence(set, [name])), sets.map(licenceName));
}

const isIn = <Name extends string>(name: Name, names: readonly Name[] = []): boolean =>
  names.length === 0 || names.includes(name);

const hasLicence = ({ licence: { spdx, title } }: IndexedIconSet, names: readonly string[] = []): boolean =>
  names.length === 0 || names.some((name) => [spdx, title].some((known) => known.toLowerCase() === name.toLowerCase()));
