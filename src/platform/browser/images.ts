/** Decoding of pictures by the browser, in a page or a worker. */
import { fitToInk } from '../../data/fit-to-ink.ts';
import { stretchToSquare, type DecodedPicture } from '../../data/resample.ts';
import { BoundedError } from '../../formats/untrusted.ts';

/** A picture that the browser cannot decode. The message names it. */
export class ImageError extends BoundedError {
  override readonly name = 'ImageError';

  constructor(readonly source: string, cause: unknown) {
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

/** Decodes a drawing and fits it to its ink (`fitToInk`): what an index of icons is asked with. @returns as decodeImage; white where there is no ink @throws ImageError */
export async function decodeDrawing(picture: Blob, size: number, name = 'the drawing'): Promise<Uint8Array> {
  const decoded = await decodePicture(picture, name);
  return stretchToSquare(fitToInk(decoded) ?? decoded, size);
}

/** Decodes a picture and stretches it to a square on white. @returns RGB u8, row-major [size, size, 3] @throws ImageError */
export async function decodeImage(picture: Blob, size: number, name = 'the picture'): Promise<Uint8Array> {
  return stretchToSquare(await decodePicture(picture, name), size);
}
