/** Decoding of image files with sharp. */
import { stretchToSquare, type DecodedPicture } from '../../data/resample.ts';
import { BoundedError } from '../../formats/untrusted.ts';
import { loadSharp } from './sharp.ts';

/** File name endings that are taken for images, in lower case. */
export const IMAGE_EXTENSIONS: readonly string[] = ['.png', '.jpg', '.jpeg', '.webp', '.svg'];

/** An image that cannot be decoded. The message names the file and the cause. */
export class ImageError extends BoundedError {
  override readonly name = 'ImageError';

  constructor(readonly path: string, cause: unknown) {
    super(`${path} cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * Decodes an image, lays it on white and stretches it to a square: what a model is asked with, with the same bits as
 * `decodeImage` gives in a browser where the two decode to the same pixels (docs/web.md).
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

/** Decodes an image at its own size, upright. @throws ImageError */
export async function decodePicture(source: string | Uint8Array, label = String(source)): Promise<DecodedPicture> {
  try {
    const { data, info } = await (await loadSharp())(source).autoOrient().toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data };
  } catch (cause) {
    throw new ImageError(label, cause);
  }
}

/** The size of an encoded image by its header, before anything is unpacked. @throws ImageError */
export async function imageSize(bytes: Uint8Array, label: string): Promise<{ readonly width: number; readonly height: number }> {
  try {
    return await (await loadSharp())(bytes).metadata();
  } catch (cause) {
    throw new ImageError(label, cause);
  }
}

/**
 * Decodes an image for a data set, which needs thousands: sharp stretches it too, on its own threads. Where the picture
 * shrinks, the result is a few grey levels from `decodeImage`'s at most (test/data/resample.test.ts).
 *
 * A network that is trained on stretched images must be asked with stretched images (method.md, Training), so the aspect
 * ratio is given up here as there. JPEG orientation is honoured.
 * @returns as decodeImage
 * @throws ImageError
 */
export async function decodeSample(source: string | Uint8Array, size: number, label = String(source)): Promise<Uint8Array> {
  try {
    const sharp = await loadSharp();
    const pixels = await sharp(source)
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .resize(size, size, { fit: 'fill' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer();
    return new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
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

/**
 * Decodes an encoded image whole, at its own size, and keeps nothing: whether it can be read.
 * @param label the name for errors
 * @throws ImageError where it is cut off, damaged or of another kind
 */
export async function requireDecodable(bytes: Uint8Array, label: string): Promise<void> {
  try {
    if (bytes.length === 0) throw new Error('the file is empty');
    await (await loadSharp())(bytes).raw().toBuffer();
  } catch (cause) {
    throw new ImageError(label, cause);
  }
}
