/** Opens an encoded image with sharp, bounded in pixels, in sides and in time. SVGs are given a size of their own. */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import type { Sharp } from 'sharp';
import { decodeText } from '../../formats/text.ts';
import { loadSharp } from './sharp.ts';

/**
 * The longer side of an SVG's pixels. An SVG's own size means nothing: icons say 16, and one of 16,000 takes a minute
 * and 2 GB.
 */
const SVG_SIDE = 512;
/** SVG's nominal sizes are counted at this density, in pixels an inch; librsvg takes none below 1. */
const NOMINAL_DENSITY = 72;
/** Below this nominal size, rounding to whole pixels would change the proportions. */
const EXACT_SIDE = 256;
/** Bytes of an unpacked SVG. */
const LARGEST_SVG = 2 ** 26;
/** Pixels of a picture; the largest phone photos have 200 million. */
export const MOST_PIXELS = 2 ** 28;
/** Pixels of a side, as many as JPEG allows. Time grows faster than the number of pixels where one side is extreme. */
const LONGEST_SIDE = 2 ** 16;
/** After this time a decoding is given up; the largest photo takes a few. */
export const PATIENCE_SECONDS = 30;

/**
 * What all decoding begins with. Pixels are bounded before they are unpacked, and time is. A file that is cut off or
 * damaged is refused; what libjpeg merely warns of, such as the invalid SOS parameters of Samsung's phones, is read.
 * Files are read here and handed over as bytes: opened by its name, an SVG could have other files drawn into it.
 */
export async function openImage(source: string | Uint8Array): Promise<Sharp> {
  const bytes = await bytesOf(source);
  if (bytes.length === 0) throw new Error('the file is empty');
  const sharp = await loadSharp();
  const options = { failOn: 'error', limitInputPixels: MOST_PIXELS } as const;
  if (!mayBeSvg(bytes)) {
    const image = sharp(bytes, options).timeout({ seconds: PATIENCE_SECONDS });
    if (!mayBeLong(bytes)) return image;
    const { width, height } = await image.metadata();
    if (Math.max(width, height) > LONGEST_SIDE)
      throw new Error(`it has ${width} x ${height} pixels; a side may have ${LONGEST_SIDE}`);
    return image;
  }
  const svg = withOwnSize(bytes[0] === GZIP[0] ? gunzipSync(bytes, { maxOutputLength: LARGEST_SVG }) : bytes);
  const longerSide = async (density: number): Promise<number> => {
    const { width, height } = await sharp(svg, { density, limitInputPixels: false }).metadata();
    return Math.max(width, height);
  };
  const nominal = await longerSide(NOMINAL_DENSITY);
  const measuredAt = nominal < EXACT_SIDE ? (NOMINAL_DENSITY * EXACT_SIDE) / nominal : NOMINAL_DENSITY;
  const side = nominal < EXACT_SIDE ? await longerSide(measuredAt) : nominal;
  let density = (measuredAt * SVG_SIDE) / side;
  // Sizes in millimetres and the like grow with the square of the density.
  if (density >= 1 && Math.abs((await longerSide(density)) - SVG_SIDE) > 1)
    density = measuredAt * Math.sqrt(SVG_SIDE / side);
  if (density < 1)
    throw new Error(
      `its nominal size is ${nominal} pixels, above ${NOMINAL_DENSITY * SVG_SIDE}; give it a smaller width and height`,
    );
  return sharp(svg, { ...options, density }).timeout({ seconds: PATIENCE_SECONDS });
}

async function bytesOf(source: string | Uint8Array): Promise<Uint8Array> {
  return typeof source === 'string' ? readFile(source) : source;
}

const GZIP = [0x1f, 0x8b];

/** Whether bytes begin as XML does, packed or not: no other format that is read begins so. */
function mayBeSvg([first, second]: Uint8Array): boolean {
  const isText =
    first === 0x3c || first === 0x20 || (first >= 0x09 && first <= 0x0d) || (first === 0 && second === 0x3c);
  const isMark =
    (first === 0xef && second === 0xbb) || (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  return isText || isMark || (first === GZIP[0] && second === GZIP[1]);
}

/** PNG and TIFF: the other formats have no sides above LONGEST_SIDE. */
const mayBeLong = ([first]: Uint8Array): boolean => first === 0x89 || first === 0x49 || first === 0x4d;

/** What comes before the root element: declarations, comments, a document type. */
const PROLOG = /^\s*(?:<\?[^]*?\?>\s*|<!--[^]*?-->\s*|<!DOCTYPE[^[>]*(?:\[[^]*?\]\s*)?>\s*)*/i;

/**
 * An SVG that has neither sizes nor a viewBox is put into one of 300 x 150, the size that CSS gives it (CSS 2.2,
 * 10.3.2), so that it can be scaled. librsvg would cut it to what is drawn, and not scale it.
 */
function withOwnSize(svg: Uint8Array): Uint8Array {
  const text = textOf(svg);
  if (text === undefined) return svg;
  const root = text.slice(PROLOG.exec(text)?.[0].length ?? 0);
  const [tag] = /^<(?:[\w.-]+:)?svg\b(?:"[^"]*"|'[^']*'|[^>"'])*>/.exec(root) ?? [];
  // librsvg reads no UTF-16, and the declaration would contradict the bytes.
  const utf8 = svg[0] === 0x3c && svg[1] !== 0 ? svg : new TextEncoder().encode(text.replace(/^\s*<\?xml[^]*?\?>/, ''));
  if (tag === undefined || /\sviewBox\s*=/.test(tag)) return utf8;
  const [width, height] = (['width', 'height'] as const).map(
    (side) => new RegExp(`\\s${side}\\s*=\\s*["']\\s*([\\d.]+(?:e[+-]?\\d+)?[a-z]*)\\s*["']`, 'i').exec(tag)?.[1],
  );
  if (width !== undefined && height !== undefined) return utf8;
  return new TextEncoder().encode(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width ?? 300}" height="${height ?? 150}">${root}</svg>`,
  );
}

/** Undefined where a declaration names another encoding, which librsvg may read. */
function textOf(svg: Uint8Array): string | undefined {
  try {
    return decodeText(svg);
  } catch {
    return undefined;
  }
}
