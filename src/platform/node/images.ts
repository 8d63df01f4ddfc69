/** Decoding of image files with sharp. Every picture of a user's is opened in one way, by `openImage`. */
import type { Sharp } from 'sharp';
import { stretchToSquare, type DecodedPicture } from '../../data/resample.ts';
import { sketchSquare, type SketchFraming } from '../../data/sketch-framing.ts';
import { BoundedError } from '../../formats/untrusted.ts';
import { MOST_PIXELS, openImage, PATIENCE_SECONDS } from './open-image.ts';
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
  return withinLimit(async () => stretchToSquare(await decodePicture(source, label), size));
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
  return withinLimit(async () => sketchSquare(await decodePicture(source, label), size, framing));
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

/** Runs work on whole pictures, as much of it at once as the limit allows. */
async function withinLimit<Result>(work: () => Promise<Result>): Promise<Result> {
  if (underWay < MOST_WHOLE_PICTURES) underWay++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    // The next one that waits takes the place.
    const next = waiting.shift();
    if (next === undefined) underWay--;
    else next();
  }
}
