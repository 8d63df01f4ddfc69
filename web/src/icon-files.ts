/**
 * Where the drawings of the page's icons are: files of some icons each, next to the index, which are fetched when one
 * of their icons is shown.
 */
import type { IndexedIconSet } from '../../src/retrieval/icon-index.ts';

/** The folder of index and drawings, relative to the page. */
export const ICON_FOLDER = 'icons';
export const ICON_INDEX = `${ICON_FOLDER}/index.safetensors`;
/** Icons of one set in a file, in the order of the index; the last file of a set has fewer. */
export const ICONS_PER_FILE = 64;

/** Where an icon's drawing is. */
export interface IconPlace {
  /** Relative to the page: a JSON list of SVG documents, packed by gzip. */
  readonly path: string;
  readonly place: number;
}

/** The ending is not .gz, which some servers take for a content encoding of their own. */
export const iconFile = (prefix: string, number: number): string => `${ICON_FOLDER}/${prefix}-${number}.svgs`;

/** @param row of the index */
export function placeOfIcon(sets: readonly IndexedIconSet[], row: number): IconPlace {
  let first = 0;
  for (const { prefix, count } of sets) {
    if (row < first + count)
      return {
        path: iconFile(prefix, Math.floor((row - first) / ICONS_PER_FILE)),
        place: (row - first) % ICONS_PER_FILE,
      };
    first += count;
  }
  throw new RangeError(`the icon index has no row ${row}`);
}
