import path from 'node:path';
import type { SketchFraming } from '../../data/sketch-framing.ts';
import { decodeImage } from '../../platform/node/images.ts';
import type { RankedItem } from '../../retrieval/ranking.ts';
import type { ContactSheetRow } from '../display/contact-sheet.ts';

/** Side of the images on the contact sheet, in pixels. */
export const SHEET_IMAGE = 112;
/** Gray level in place of a picture that is gone. */
export const GONE = 200;

/** What a sketch found, or several together. */
export interface FoundBySketch<Result> {
  /** The files. */
  readonly sketches: readonly string[];
  /** The picture or icon of the index that searched together with them. */
  readonly like?: string;
  /** Whether even the best result is below the cut-off. */
  readonly nothingLike: boolean;
  readonly results: readonly Result[];
}

type Found<Result> = Omit<FoundBySketch<Result>, 'sketches'>;

/** An index of pictures or icons, as the command `search` uses it. */
export interface SearchedIndex<Result> {
  /** How sketches are laid out, where that is not for the model to say. */
  readonly sketches?: SketchFraming;
  /** @param without rows that are not to be found */
  find(embedding: Float32Array, top: number, without?: readonly number[]): Found<Result> | Promise<Found<Result>>;
  /** A picture or icon of the index, to search for others like it; a store has none. @throws OptionError where it is not in the index */
  like?(name: string): { readonly row: number; readonly embedding: Float32Array };
  /** Results as text. */
  table(results: readonly Result[]): string;
  sheetRow(found: FoundBySketch<Result>): Promise<ContactSheetRow>;
  close?(): Promise<void>;
}

/** The sketches of a row of the contact sheet: several share the place of one, in rows of equal squares. */
export async function sheetQuery(sketches: readonly string[]): Promise<Pick<ContactSheetRow, 'label' | 'query'>> {
  const columns = Math.ceil(Math.sqrt(sketches.length));
  const side = Math.floor(SHEET_IMAGE / columns);
  const pixels = new Uint8Array(3 * SHEET_IMAGE ** 2).fill(255);
  for (const [place, sketch] of sketches.entries()) {
    const square = await decodeImage(sketch, side);
    const [top, left] = [side * Math.floor(place / columns), side * (place % columns)];
    for (let y = 0; y < side; y++)
      pixels.set(square.subarray(3 * side * y, 3 * side * (y + 1)), 3 * (SHEET_IMAGE * (top + y) + left));
  }
  return { label: sketches.map((sketch) => path.parse(sketch).name).join(' + '), query: { pixels, size: SHEET_IMAGE } };
}

/** The `top` best of a ranking without some rows. @param rank gives the k best */
export const rankWithout = (
  rank: (k: number) => readonly RankedItem[],
  top: number,
  without: readonly number[],
): readonly RankedItem[] =>
  rank(top + without.length)
    .filter(({ index }) => !without.includes(index))
    .slice(0, top);
