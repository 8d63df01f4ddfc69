/**
 * Decoded images in a file, for sets that are too large for the memory: an image is decoded when it is first read and
 * has its place in the file from then on. The operating system keeps in memory what is read often.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { BoundedError } from '../src/formats/untrusted.ts';

const openFile = promisify(fs.open);
const readAt = promisify(fs.read);
const writeAt = promisify(fs.write);

export interface PixelFileOptions {
  readonly path: string;
  readonly bytesPerImage: number;
  /** Hears of the first time that an image could not be written; from then on, images are decoded and not kept. */
  readonly onFull?: (cause: Error) => void;
}

/** A file that cannot be opened. The message names it and says what to do. */
export class PixelFileError extends BoundedError {
  override readonly name = 'PixelFileError';
}

const DIGEST_BYTES = 32;

/**
 * Each image has a slot in the file: a SHA-256 over stamp and pixels, then the pixels. Whatever else is there (nothing
 * yet, half an image of a killed process, an image of a file that has changed) has another digest, and the image is
 * decoded again. So the file needs no index and no lock, and processes can share it: they write the same bytes to the
 * same places.
 */
export class PixelFile {
  private readonly descriptor: number;
  private readonly slotBytes: number;
  private readonly onFull?: (cause: Error) => void;
  private full = false;

  private constructor(descriptor: number, { bytesPerImage, onFull }: PixelFileOptions) {
    this.descriptor = descriptor;
    this.slotBytes = DIGEST_BYTES + bytesPerImage;
    this.onFull = onFull;
  }

  /** @throws PixelFileError where the file cannot be written */
  static async open(options: PixelFileOptions): Promise<PixelFile> {
    const { path } = options;
    try {
      await mkdir(dirname(path), { recursive: true });
      // For reading and writing, made where it is not there, and left as it is where it is.
      return new PixelFile(await openFile(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644), options);
    } catch (cause) {
      throw new PixelFileError(
        `decoded images cannot be kept in ${path}: ${(cause as Error).message}; set XDG_CACHE_HOME to another folder`,
        { cause },
      );
    }
  }

  /** Bytes on disk that a set of so many images comes to. */
  static bytesFor(images: number, bytesPerImage: number): number {
    return images * (DIGEST_BYTES + bytesPerImage);
  }

  /**
   * @param index the image's slot
   * @param stamp what tells the image's source from what it was before, such as its size and time
   * @param decode gives [bytesPerImage]; what it throws is passed on
   */
  async read(index: number, stamp: string, decode: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const slot = Buffer.allocUnsafe(this.slotBytes);
    const { bytesRead } = await readAt(this.descriptor, slot, 0, this.slotBytes, index * this.slotBytes);
    const kept = slot.subarray(DIGEST_BYTES);
    if (bytesRead === this.slotBytes && slot.subarray(0, DIGEST_BYTES).equals(digestOf(stamp, kept)))
      return new Uint8Array(kept.buffer, kept.byteOffset, kept.length);
    const pixels = await decode();
    if (!this.full) await this.write(index, stamp, pixels);
    return pixels;
  }

  close(): void {
    fs.closeSync(this.descriptor);
  }

  private async write(index: number, stamp: string, pixels: Uint8Array): Promise<void> {
    try {
      await writeAt(
        this.descriptor,
        Buffer.concat([digestOf(stamp, pixels), pixels]),
        0,
        this.slotBytes,
        index * this.slotBytes,
      );
    } catch (cause) {
      if (!this.full) this.onFull?.(cause as Error);
      this.full = true;
    }
  }
}

function digestOf(stamp: string, pixels: Uint8Array): Buffer {
  return createHash('sha256').update(stamp).update('\0').update(pixels).digest();
}
