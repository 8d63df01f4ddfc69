/** Decoding of image files with sharp, whose own threads do the work. */
import sharp from 'sharp';

/** File name endings that are taken for images, in lower case. */
export const IMAGE_EXTENSIONS: readonly string[] = ['.png', '.jpg', '.jpeg', '.webp', '.svg'];

/** An image that cannot be decoded. The message names the file and the cause. */
export class ImageError extends Error {
  override readonly name = 'ImageError';

  constructor(readonly path: string, cause: unknown) {
    super(`${path} cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * Decodes an image, stretches it to a square and lays it on white.
 *
 * A network that is trained on stretched images must be asked with stretched images (method.md,
 * Training), so the aspect ratio is given up here, in one place. JPEG orientation is honoured.
 *
 * @param source a file's path, or the file's bytes
 * @param size side of the result in pixels
 * @param label the name for errors, where `source` is no path
 * @returns RGB u8, row-major [size, size, 3]
 * @throws ImageError where the file is missing, damaged or of another kind
 */
export async function decodeImage(source: string | Uint8Array, size: number, label = String(source)): Promise<Uint8Array> {
  try {
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

/**
 * Decodes an encoded image whole, at its own size, and keeps nothing: whether it can be read.
 * @param label the name for errors
 * @throws ImageError where it is cut off, damaged or of another kind
 */
export async function requireDecodable(bytes: Uint8Array, label: string): Promise<void> {
  try {
    if (bytes.length === 0) throw new Error('the file is empty');
    await sharp(bytes).raw().toBuffer();
  } catch (cause) {
    throw new ImageError(label, cause);
  }
}
