/** Decoding of pictures by the browser, in a page or a worker. */
import { stretchToSquare, type DecodedPicture } from '../../data/resample.ts';
import { sketchSquare, type SketchFraming } from '../../data/sketch-framing.ts';
import { BoundedError } from '../../formats/untrusted.ts';

/** A picture that the browser cannot decode. The message names it. */
export class ImageError extends BoundedError {
  override readonly name = 'ImageError';

  constructor(
    readonly source: string,
    cause: unknown,
  ) {
    super(`${source} cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * Decodes a picture at its own size, upright.
 * @param name for the error
 * @throws ImageError where it is damaged, or of a kind that this browser does not read
 */
export async function decodePicture(picture: Blob, name: string): Promise<DecodedPicture> {
  try {
    const bitmap = await createImageBitmap(picture, { imageOrientation: 'from-image', premultiplyAlpha: 'none' });
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (context === null) throw new Error('this browser draws nothing off the screen');
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return context.getImageData(0, 0, width, height);
  } catch (cause) {
    throw new ImageError(name, cause);
  }
}

/**
 * Decodes a sketch to search with and lays it out for a network (`sketchSquare`).
 * @param framing the model's `sketches`, or `icon` for an index of icons
 * @returns as decodeImage; white where there is no ink
 * @throws ImageError
 */
export async function decodeSketch(
  picture: Blob,
  size: number,
  framing?: SketchFraming,
  name = 'the sketch',
): Promise<Uint8Array> {
  return sketchSquare(await decodePicture(picture, name), size, framing);
}

/**
 * Decodes a picture and stretches it to a square on white. @returns RGB u8, row-major [size, size, 3] @throws
 * ImageError
 */
export async function decodeImage(picture: Blob, size: number, name = 'the picture'): Promise<Uint8Array> {
  return stretchToSquare(await decodePicture(picture, name), size);
}
