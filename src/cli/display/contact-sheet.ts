/**
 * The contact sheet: a PNG with a row for each query sketch and, beside it, the pictures found for it,
 * best first. Hits have a green frame and a tick, so that they stand out without color too.
 */

import sharp, { type OverlayOptions, type Sharp } from 'sharp';
import { escapeMarkup, shorten } from './markup.ts';
import { BoundedError } from '../../formats/untrusted.ts';

/** A square image. */
export interface SheetImage {
  /** RGB, one byte a channel: [size, size, 3]. */
  readonly pixels: Uint8Array;
  readonly size: number;
}

export interface SheetResult extends SheetImage {
  /** The picture's class. */
  readonly label: string;
  /** Whether it is the query's class. */
  readonly hit: boolean;
  /** The cosine of picture and query. */
  readonly score: number;
}

export interface ContactSheetRow {
  /** The query's class. */
  readonly label: string;
  readonly query: SheetImage;
  /** The pictures found, best first. */
  readonly results: readonly SheetResult[];
}

/** Rows that no sheet can be made of. */
export class ContactSheetError extends BoundedError {
  override readonly name = 'ContactSheetError';
}

const CELL = 112;
const GAP = 12;
const MARGIN = 28;
const CAPTION_HEIGHT = 30;
const ROW_GAP = 14;
/** A line separates the query from its results. */
const QUERY_GAP = 36;

const INK = '#1d2321';
const QUIET = '#7b8481';
const LINE = '#d9dedb';
const HIT = '#12854a';
const PAPER = '#ffffff';
const FONT = 'Inter, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif';

/**
 * Draws the sheet.
 *
 * Class names and scores are drawn with the system's fonts. On a machine without any font (a bare
 * container) they are left out, since every letter would be the same box; frames and ticks remain,
 * and `contactSheetCaption` says in words which row is which.
 * @throws ContactSheetError where there is no row, or the pixels of an image do not fit its size
 */
export async function renderContactSheet(rows: readonly ContactSheetRow[]): Promise<Uint8Array> {
  if (rows.length === 0) throw new ContactSheetError('a contact sheet needs a query at least');
  const columns = rows.reduce((most, { results }) => Math.max(most, results.length), 0);
  const rowHeight = CELL + CAPTION_HEIGHT + ROW_GAP;
  const width = 2 * MARGIN + CELL + QUERY_GAP + Math.max(0, columns * (CELL + GAP) - GAP);
  const height = 2 * MARGIN + rows.length * rowHeight - ROW_GAP;

  const withText = await fontsArePresent();
  const images: Promise<OverlayOptions>[] = [];
  const drawing: string[] = [];
  rows.forEach((row, i) => {
    const top = MARGIN + i * rowHeight;
    images.push(placed(row.query, MARGIN, top, `the query of row ${i + 1} (${row.label})`));
    drawing.push(frame(MARGIN, top, INK, 1.5));
    if (withText) drawing.push(caption(MARGIN, top, shorten(row.label, 16), INK, 600));
    const divider = MARGIN + CELL + QUERY_GAP / 2;
    drawing.push(`<line x1="${divider}" x2="${divider}" y1="${top}" y2="${top + CELL}" stroke="${LINE}"/>`);
    row.results.forEach((result, rank) => {
      const left = MARGIN + CELL + QUERY_GAP + rank * (CELL + GAP);
      images.push(placed(result, left, top, `result ${rank + 1} of row ${i + 1} (${row.label})`));
      drawing.push(result.hit ? frame(left, top, HIT, 4) + tick(left, top) : frame(left, top, LINE, 1));
      if (withText) {
        drawing.push(caption(left, top, shorten(result.label, 12), result.hit ? HIT : QUIET, result.hit ? 600 : 400));
        drawing.push(score(left, top, result.score));
      }
    });
  });

  const overlay = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${FONT}">${drawing.join('')}</svg>`;
  const png = await sharp({ create: { width, height, channels: 3, background: PAPER } })
    .composite([...(await Promise.all(images)), { input: Buffer.from(overlay) }])
    .removeAlpha()
    .png({ compressionLevel: 9 })
    .toBuffer();
  return new Uint8Array(png);
}

/** The sheet in words, a line for each row: `swan: 3 of 10 are hits (1, 2, 5)`. */
export function contactSheetCaption(rows: readonly ContactSheetRow[]): string {
  return rows
    .map(({ label, results }) => {
      const ranks = results.flatMap(({ hit }, i) => (hit ? [i + 1] : []));
      return `${label}: ${ranks.length} of ${results.length} are hits${ranks.length > 0 ? ` (${ranks.join(', ')})` : ''}`;
    })
    .join('\n');
}

/** The image as a PNG of its own size, for a page. */
export async function encodePng(image: SheetImage, what: string): Promise<Uint8Array> {
  return new Uint8Array(await open(image, what).png({ compressionLevel: 9 }).toBuffer());
}

async function placed(image: SheetImage, left: number, top: number, what: string): Promise<OverlayOptions> {
  return { input: await open(image, what).resize(CELL, CELL).png().toBuffer(), left, top };
}

function open({ pixels, size }: SheetImage, what: string): Sharp {
  if (size < 1 || pixels.length !== size * size * 3)
    throw new ContactSheetError(
      `${what} has ${pixels.length} bytes, an RGB image of ${size} x ${size} has ${size * size * 3}`,
    );
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } });
}

/** A frame whose stroke lies around the image rather than on it. */
function frame(left: number, top: number, color: string, width: number): string {
  const side = CELL + width;
  return `<rect x="${left - width / 2}" y="${top - width / 2}" width="${side}" height="${side}" rx="${width / 2}" fill="none" stroke="${color}" stroke-width="${width}"/>`;
}

function tick(left: number, top: number): string {
  const x = left + CELL - 3;
  const y = top + 3;
  return `<circle cx="${x}" cy="${y}" r="9" fill="${HIT}" stroke="${PAPER}" stroke-width="1.5"/><path d="M${x - 4} ${y + 0.3}l2.8 2.9 5.2 -5.8" fill="none" stroke="${PAPER}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>`;
}

function caption(left: number, top: number, text: string, color: string, weight: number): string {
  return `<text x="${left}" y="${top + CELL + 20}" font-size="13" font-weight="${weight}" fill="${color}">${escapeMarkup(text)}</text>`;
}

function score(left: number, top: number, value: number): string {
  return `<text x="${left + CELL}" y="${top + CELL + 20}" font-size="11" text-anchor="end" fill="${QUIET}">${value.toFixed(2)}</text>`;
}

/** Whether sharp finds a font: without one, two different letters look the same. */
async function fontsArePresent(): Promise<boolean> {
  const letter = (text: string): Promise<Buffer> =>
    sharp(
      Buffer.from(
        `<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32" font-family="${FONT}"><text x="4" y="24" font-size="20">${text}</text></svg>`,
      ),
    )
      .raw()
      .toBuffer();
  const [narrow, wide] = await Promise.all([letter('i'), letter('W')]);
  return !narrow.equals(wide);
}
