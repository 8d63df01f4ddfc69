import path from 'node:path';
import { decodeImage } from '../platform/node/images.ts';
import type { ContactSheetRow } from './contact-sheet.ts';

/** Side of the images on the contact sheet, in pixels. */
export const SHEET_IMAGE = 112;
/** Grey level in place of a picture that is gone. */
export const GONE = 200;

/** What a sketch found. */
export interface FoundBySketch<Result> {
  readonly sketch: string;
  /** Whether even the best result is below the cut-off. */
  readonly nothingLike: boolean;
  readonly results: readonly Result[];
}

/** An index of pictures or icons, as the command `search` uses it. */
export interface SearchedIndex<Result> {
  /** Reads a sketch as the index wants it: RGB u8, [size, size, 3]. */
  decode(file: string, size: number): Promise<Uint8Array>;
  find(embedding: Float32Array, top: number): Omit<FoundBySketch<Result>, 'sketch'>;
  /** Results as text. */
  table(results: readonly Result[]): string;
  sheetRow(found: FoundBySketch<Result>): Promise<ContactSheetRow>;
}

/** The sketch of a row of the contact sheet. */
export async function sheetQuery(sketch: string): Promise<Pick<ContactSheetRow, 'label' | 'query'>> {
  return { label: path.parse(sketch).name, query: { pixels: await decodeImage(sketch, SHEET_IMAGE), size: SHEET_IMAGE } };
}
