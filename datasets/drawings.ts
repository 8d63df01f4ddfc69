/**
 * QuickDraw's simplified drawings: one JSON object a line, `word`, `key_id`, `recognized` and `drawing`, a list of
 * strokes [[x...], [y...]] in 0..255 (googlecreativelab/quickdraw-dataset, "Simplified Drawing files"). They are drawn
 * when they are read.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { classKey } from '../src/data/class-names.ts';
import type { Problem } from './problems.ts';
import { BoundedError } from '../src/formats/untrusted.ts';

/** The position of a drawing in its file. */
export interface DrawingPlace {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
}

export interface IndexedDrawing extends DrawingPlace {
  readonly key: string;
}

/** A drawing that cannot be drawn. The message says why, and not where. */
export class DrawingError extends BoundedError {
  override readonly name = 'DrawingError';
}

type Stroke = readonly [x: readonly number[], y: readonly number[]];
interface Drawing {
  readonly word: string;
  readonly key: string;
  readonly recognized: boolean;
  readonly strokes: readonly Stroke[];
}

/** Side of a drawing in pixels, as of the images of the other sets. */
const SIDE = 256;
/** Pen width in pixels of 256: Quick, Draw!'s own pen is of about this width. */
const PEN = 4;

/**
 * The first drawings of a file that the game recognized, up to `most`. The file is read no further than to the last of
 * them.
 *
 * @returns their word, where there is one, and what is wrong: lines that are no drawings, of another word, or of a
 * key_id that was there before
 */
export async function indexDrawings(
  file: string,
  most: number,
): Promise<{ word: string | undefined; drawings: IndexedDrawing[]; problems: Problem[] }> {
  const drawings: IndexedDrawing[] = [];
  const problems: Problem[] = [];
  const lineOf = new Map<string, number>();
  let word: string | undefined;
  if (await isUtf16(file))
    return {
      word,
      drawings,
      problems: [{ kind: 'malformed', severity: 'error', file, message: 'it is written in UTF-16; save it as UTF-8' }],
    };
  for await (const { text, ...place } of linesOf(file)) {
    if (drawings.length === most) break;
    if (text?.trim() === '') continue;
    const { line } = place;
    try {
      if (text === undefined)
        throw new DrawingError(
          `the line has ${place.length} bytes, and a drawing at most ${LONGEST_LINE}: is this one drawing a line?`,
        );
      const drawing = parseDrawing(text);
      word ??= drawing.word;
      const before = lineOf.get(drawing.key);
      if (classKey(drawing.word) !== classKey(word))
        problems.push({
          kind: 'wrong id',
          severity: 'error',
          file,
          line,
          message: `the word is "${drawing.word}", and "${word}" in the lines before; a file must be of one class`,
        });
      else if (before !== undefined)
        problems.push({
          kind: 'duplicate',
          severity: 'error',
          file,
          line,
          message: `key_id ${drawing.key} is already in line ${before}`,
        });
      else if (drawing.recognized) {
        lineOf.set(drawing.key, line);
        drawings.push({ ...place, key: drawing.key });
      }
    } catch (error) {
      if (!(error instanceof DrawingError)) throw error;
      problems.push({ kind: 'malformed', severity: 'error', file, line, message: error.message });
    }
  }
  if (drawings.length === 0 && problems.length === 0)
    problems.push({ kind: 'empty', severity: 'error', file, message: 'there is no drawing in it that was recognized' });
  return { word, drawings, problems };
}

/**
 * A drawing as an SVG document of 256 x 256 pixels, black strokes on white, its bounding box in the middle: the files
 * have it in the upper left corner, and photos have their object in the middle. The pen keeps inside the image.
 *
 * @throws DrawingError where there is no such drawing at that place
 */
export async function readDrawing({ file, offset, length }: DrawingPlace): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const bytes = Buffer.alloc(length);
    await handle.read(bytes, 0, length, offset);
    return Buffer.from(svgOf(parseDrawing(bytes.toString('utf8')).strokes));
  } finally {
    await handle.close();
  }
}

/** @throws DrawingError where the line is not a simplified drawing */
export function parseDrawing(text: string): Drawing {
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new DrawingError(`the line is no JSON: ${(cause as Error).message}`, { cause });
  }
  const {
    word,
    key_id: id,
    recognized,
    drawing,
  } = (typeof content === 'object' && content !== null ? content : {}) as Record<string, unknown>;
  if (typeof word !== 'string' || word.trim() === '') throw new DrawingError('there is no word');
  const key = typeof id === 'number' ? digitsOf(id, text) : id;
  if (typeof key !== 'string' || key === '') throw new DrawingError('there is no key_id');
  if (!Array.isArray(drawing) || drawing.length === 0) throw new DrawingError('there is no drawing');
  return { word, key, recognized: recognized !== false, strokes: drawing.map(strokeFrom) };
}

/**
 * A key_id that is written as a number: pandas and jq write it so. Numbers from 2^53 on lose digits when they are
 * parsed, so that the text is read.
 */
function digitsOf(id: number, text: string): string {
  return Number.isSafeInteger(id) ? String(id) : (/"key_id"\s*:\s*(\d+)/.exec(text)?.[1] ?? '');
}

function strokeFrom(stroke: unknown, index: number): Stroke {
  const [x, y] = (Array.isArray(stroke) ? stroke : []) as unknown[];
  const numbers = (values: unknown): values is number[] =>
    Array.isArray(values) && values.every((value) => typeof value === 'number');
  if (!numbers(x) || !numbers(y) || x.length === 0 || x.length !== y.length)
    throw new DrawingError(`stroke ${index + 1} is not a list of x and as long a list of y`);
  if (![...x, ...y].every((value) => value >= 0 && value <= 255))
    throw new DrawingError(
      `stroke ${index + 1} leaves 0..255: are these the raw drawings? The simplified ones are needed`,
    );
  return [x, y];
}

function svgOf(strokes: readonly Stroke[]): string {
  const xs = strokes.flatMap(([x]) => x);
  const ys = strokes.flatMap(([, y]) => y);
  const middle = (values: readonly number[]): number =>
    (values.reduce((least, value) => Math.min(least, value)) + values.reduce((most, value) => Math.max(most, value))) /
    2;
  const frame = 255 + PEN;
  // A stroke of one point is a dot: it needs a second one in the same place to be drawn.
  const path = strokes
    .map(
      ([x, y]) =>
        `M${x.map((value, index) => `${value} ${y[index]}`).join('L')}${x.length === 1 ? `L${x[0]} ${y[0]}` : ''}`,
    )
    .join('');
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}" viewBox="${middle(xs) - frame / 2} ${middle(ys) - frame / 2} ${frame} ${frame}">` +
    `<path d="${path}" fill="none" stroke="#000" stroke-width="${PEN}" stroke-linecap="round" stroke-linejoin="round"/></svg>`
  );
}

/** Whether a file begins with the byte order mark of UTF-16. */
async function isUtf16(file: string): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && ['feff', 'fffe'].includes(buffer.toString('hex'));
  } finally {
    await handle.close();
  }
}

/** Bytes of a line. The longest of Quick, Draw!'s simplified drawings has some 20,000. */
const LONGEST_LINE = 2 ** 24;

/**
 * The lines of a file with their places in it, read piece by piece. A line that is too long has no text.
 * Each byte is looked at once, and no more than a line is kept, also where there is no line end.
 */
async function* linesOf(
  file: string,
): AsyncGenerator<DrawingPlace & { readonly text: string | undefined }, void, undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  let offset = 0;
  let line = 1;
  const collect = (part: Buffer): void => {
    length += part.length;
    if (length <= LONGEST_LINE) parts.push(part);
    else parts = [];
  };
  const take = () => ({
    file,
    line,
    offset,
    length,
    text: length <= LONGEST_LINE ? Buffer.concat(parts).toString('utf8') : undefined,
  });
  for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, start)) {
      collect(piece.subarray(start, end));
      yield take();
      offset += length + 1;
      line++;
      [parts, length, start] = [[], 0, end + 1];
    }
    collect(piece.subarray(start));
  }
  if (length > 0) yield take();
}
