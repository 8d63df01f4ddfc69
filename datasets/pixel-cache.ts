/** A folder's worth of rendered images in one file, so that rendering happens once. */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BoundedError } from '../src/formats/untrusted.ts';

export interface PixelCache {
  /** Path without ending: `<path>.rgb` holds the pixels and `<path>.json` their index. */
  readonly path: string;
  /** The images' names, in order. */
  readonly names: readonly string[];
  readonly bytesPerImage: number;
  readonly render: (index: number) => Promise<Uint8Array>;
  /** Called while images are rendered; not called where the cache has them. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A cache that does not hold what was just written to it. */
export class PixelCacheError extends BoundedError {
  override readonly name = 'PixelCacheError';
}

interface Index {
  readonly bytesPerImage: number;
  readonly names: readonly string[];
  readonly sha256: string;
}

/** Images rendered at a time: sharp spreads them over its threads. */
const RENDERED_AT_A_TIME = 64;

/**
 * The pixels of all images, one after another: from the cache where it is whole, else rendered.
 *
 * The index is written after the pixels and holds their checksum, so whatever was interrupted or
 * damaged is noticed and rendered again.
 *
 * @returns u8 [names.length, bytesPerImage]
 * @throws PixelCacheError where the disk gives back other bytes than it was given
 */
export async function cachedPixels(cache: PixelCache): Promise<Uint8Array> {
  const kept = await readCache(cache);
  if (kept !== undefined) return kept;
  await renderAll(cache);
  const rendered = await readCache(cache);
  if (rendered !== undefined) return rendered;
  throw new PixelCacheError(
    `${cache.path}.rgb is not what was just written to it; check the disk, or give another cache folder`,
  );
}

async function readCache({ path, names, bytesPerImage }: PixelCache): Promise<Uint8Array | undefined> {
  try {
    const index = JSON.parse(await readFile(`${path}.json`, 'utf8')) as Index;
    const pixels = await readFile(`${path}.rgb`);
    const whole =
      pixels.length === names.length * bytesPerImage &&
      index.sha256 === createHash('sha256').update(pixels).digest('hex');
    return whole ? pixels : undefined;
  } catch {
    // Missing or unreadable: either way it is rendered again, and a folder that cannot be written says so then.
    return undefined;
  }
}

async function renderAll({ path, names, bytesPerImage, render, onProgress }: PixelCache): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  // Two processes may render at once: each writes a file of its own, and the last rename wins.
  const temporary = `${path}.${process.pid}.tmp`;
  const hash = createHash('sha256');
  const file = await open(temporary, 'w');
  try {
    for (let start = 0; start < names.length; start += RENDERED_AT_A_TIME) {
      const end = Math.min(start + RENDERED_AT_A_TIME, names.length);
      const images = await Promise.all(Array.from({ length: end - start }, (_, offset) => render(start + offset)));
      for (const image of images) {
        hash.update(image);
        await file.writeFile(image);
      }
      onProgress?.(end, names.length);
    }
    await file.close();
    await rename(temporary, `${path}.rgb`);
    const index: Index = { bytesPerImage, names, sha256: hash.digest('hex') };
    await writeFile(temporary, JSON.stringify(index));
    await rename(temporary, `${path}.json`);
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
}
