import path from 'node:path';
import type { SketchFraming } from '../../data/sketch-framing.ts';
import { decodeImage } from '../../platform/node/images.ts';
import type { ContactSheetRow } from '../display/contact-sheet.ts';

/** Side of the images on the contact sheet, in pixels. */
export const SHEET_IMAGE = 112;
/** Grey level in place of a picture that is gone. */
export const GONE = 200;

/** What a sketch found, or several together. */
export interface FoundBySketch<Result> {
  /** The files. */
  readonly sketches: readonly string[];
  /** Whether even the best result is below the cut-off. */
  readonly nothingLike: boolean;
  readonly results: readonly Result[];
}

type Found<Result> = Omit<FoundBySketch<Result>, 'sketches'>;

/** An index of pictures or icons, as the command `search` uses it. */
export interface SearchedIndex<Result> {
  /** How sketches are laid out, where that is not for the model to say. */
  readonly sketches?: SketchFraming;
  find(embedding: Float32Array, top: number): Found<Result> | Promise<Found<Result>>;
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
