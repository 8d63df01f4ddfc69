/** Decoding of image files with sharp. Every picture of a user's is opened in one way, by `openImage`. */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import type { Sharp } from 'sharp';
import { stretchToSquare, type DecodedPicture } from '../../data/resample.ts';
import { sketchSquare, type SketchFraming } from '../../data/sketch-framing.ts';
import { decodeText } from '../../formats/text.ts';
import { BoundedError } from '../../formats/untrusted.ts';
import { loadSharp } from './sharp.ts';

/** File name endings that are taken for images, in lower case. */
export const IMAGE_EXTENSIONS: readonly string[] = [
  '.png',
  '.jpg',
  '.jpeg',
  '.jpe',
  '.jfif',
  '.webp',
  '.svg',
  '.gif',
  '.avif',
  '.tif',
  '.tiff',
];

/**
 * File name endings of pictures that sharp's build on npm does not read, in lower case. They are counted where a folder
 * is listed.
 */
export const UNREAD_EXTENSIONS: readonly string[] = [
  '.heic',
  '.heif',
  '.bmp',
  '.jxl',
  '.jp2',
  '.psd',
  '.svgz',
  '.ico',
  '.tga',
  '.dng',
  '.cr2',
  '.cr3',
  '.nef',
  '.arw',
  '.raf',
  '.orf',
  '.rw2',
  '.pdf',
  '.eps',
  '.ai',
];

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
const MOST_PIXELS = 2 ** 28;
/** Pixels of a side, as many as JPEG allows. Time grows faster than the number of pixels where one side is extreme. */
const LONGEST_SIDE = 2 ** 16;
/** After this time a decoding is given up; the largest photo takes a few. */
const PATIENCE_SECONDS = 30;

/** An image that cannot be decoded. The message names the file and the cause. */
export class ImageError extends BoundedError {
  override readonly name = 'ImageError';

  constructor(
    readonly path: string,
    cause: unknown,
  ) {
    super(`${path} cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * Decodes an image, lays it on white and stretches it to a square: what a network is trained on and what it is asked
 * with, in every command, server and page. A browser's `decodeImage` gives the same bits where the two decode to the
 * same pixels (docs/web.md). The aspect ratio is given up: a network that is trained on stretched images must be asked
 * with stretched images (method.md, Training). JPEG orientation is honoured.
 *
 * @param source a file's path, or the file's bytes
 * @param size side of the result in pixels
 * @param label the name for errors, where `source` is no path
 * @returns RGB u8, row-major [size, size, 3]
 * @throws ImageError where the file is missing, damaged or of another kind
 */
export function decodeImage(source: string | Uint8Array, size: number, label = String(source)): Promise<Uint8Array> {
  return inTurn(async () => stretchToSquare(await decodePicture(source, label), size));
}

/**
 * Decodes a sketch to search with and lays it out for a network (`sketchSquare`).
 * @param framing the model's `sketches`, or `icon` for an index of icons
 * @returns as decodeImage; white where there is no ink
 * @throws ImageError
 */
export function decodeSketch(
  source: string | Uint8Array,
  size: number,
  framing?: SketchFraming,
  label = String(source),
): Promise<Uint8Array> {
  return inTurn(async () => sketchSquare(await decodePicture(source, label), size, framing));
}

/**
 * Decodes an image at its own size, upright; an SVG with SVG_SIDE pixels on its longer side.
 * @throws ImageError
 */
export async function decodePicture(source: string | Uint8Array, label = String(source)): Promise<DecodedPicture> {
  return named(label, async () => rawPixels(await openImage(source)));
}

async function rawPixels(image: Sharp): Promise<DecodedPicture> {
  const { data, info } = await image
    .autoOrient()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

/**
 * The size of an encoded image as it would be decoded, by its header, before anything is unpacked. @throws ImageError
 */
export async function imageSize(
  bytes: Uint8Array,
  label: string,
): Promise<{ readonly width: number; readonly height: number }> {
  return named(label, async () => (await openImage(bytes)).metadata());
}

/**
 * Renders an SVG that this program wrote, at its own size, which is a few hundred pixels at most.
 * @returns as decodeImage
 * @throws ImageError
 */
export async function renderDrawing(svg: Uint8Array, size: number, label: string): Promise<Uint8Array> {
  return named(label, async () => squared((await loadSharp())(svg), size));
}

/**
 * Renders an SVG whose size this program wrote, at that size, on sharp's own threads. Its content may be a stranger's:
 * no file is drawn into it, and time is bounded.
 * @param label the name for errors
 * @throws ImageError where it cannot be rendered
 */
export async function renderSvg(svg: Uint8Array, label: string): Promise<DecodedPicture> {
  return named(label, async () =>
    rawPixels(
      (await loadSharp())(svg, { failOn: 'error', limitInputPixels: MOST_PIXELS })
        .timeout({ seconds: PATIENCE_SECONDS })
        .ensureAlpha(),
    ),
  );
}

async function squared(image: Sharp, size: number): Promise<Uint8Array> {
  const pixels = await image
    .autoOrient()
    .flatten({ background: '#ffffff' })
    .resize(size, size, { fit: 'fill' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer();
  return new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
}

/** A picture made small and upright, as WebP. @param side of the longer side in pixels @throws ImageError */
export async function thumbnail(
  source: string | Uint8Array,
  side: number,
  label = String(source),
): Promise<Uint8Array> {
  return named(label, async () =>
    (await openImage(source))
      .autoOrient()
      .resize(side, side, { fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 85 })
      .toBuffer(),
  );
}

/**
 * Decodes an encoded image whole, and keeps nothing: whether it can be read.
 * @param label the name for errors
 * @throws ImageError where it is cut off, damaged or of another kind
 */
export async function requireDecodable(bytes: Uint8Array, label: string): Promise<void> {
  await named(label, async () => (await openImage(bytes)).raw().toBuffer());
}

/**
 * What all decoding begins with. Pixels are bounded before they are unpacked, and time is. A file that is cut off or
 * damaged is refused; what libjpeg merely warns of, such as the invalid SOS parameters of Samsung's phones, is read.
 * Files are read here and handed over as bytes: opened by its name, an SVG could have other files drawn into it.
 */
async function openImage(source: string | Uint8Array): Promise<Sharp> {
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

async function named<Result>(label: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw new ImageError(label, cause);
  }
}

/** Whole pictures in memory at once; a photo of a phone takes 36 MB. Sharp has as many threads. */
const MOST_WHOLE_PICTURES = 4;
const waiting: (() => void)[] = [];
let underWay = 0;

async function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  if (underWay < MOST_WHOLE_PICTURES) underWay++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    // Whoever waits takes over the place.
    const next = waiting.shift();
    if (next === undefined) underWay--;
    else next();
  }
}
