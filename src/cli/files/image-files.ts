import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { ImageSource, Sample } from '../../data/dataset.ts';
import { decodeImage, IMAGE_EXTENSIONS, ImageError } from '../../platform/node/images.ts';
import { describeUnread, listPictures, type PictureListing } from '../../platform/node/picture-files.ts';
import { listSource } from '../../platform/node/picture-sources/list.ts';
import { fileSource, type PictureSource } from '../../platform/node/picture-sources/source.ts';
import { tarSource } from '../../platform/node/picture-sources/tar.ts';
import type { ImageRows } from '../../models/image-rows.ts';
import { OptionError } from '../options/option.ts';
import { note } from '../display/progress.ts';

/**
 * The pictures that --images names: those of a folder and the folders in it, of a tar archive, or of a list.
 * @throws OptionError if there is none
 */
export async function openPictures(given: string): Promise<PictureSource> {
  const found = await stat(given).catch(() => undefined);
  if (found?.isFile() !== true) return fileSource(await findImages(given, '--images'));
  const isTar = path.extname(given).toLowerCase() === '.tar';
  if (!isTar && !LIST_EXTENSIONS.includes(path.extname(given).toLowerCase()))
    throw new OptionError(
      `--images: ${given} is a file; give a folder, a tar archive (.tar), or a list of pictures (${LIST_EXTENSIONS.join(', ')})`,
    );
  const source = await (isTar ? tarSource(given) : listSource(given));
  if (source.names.length === 0)
    throw new OptionError(`--images: ${given} names no image (${IMAGE_EXTENSIONS.join(', ')})`);
  return source;
}

const LIST_EXTENSIONS: readonly string[] = ['.txt', '.list'];

/**
 * Image files in a folder and the folders in it, in the order of their paths. @throws OptionError where there is none
 */
export async function findImages(folder: string, flag: string): Promise<string[]> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) throw new OptionError(`${flag}: ${folder} is no folder`);
  const listing = await listPictures(folder).catch((cause: Error) => {
    throw new OptionError(`${flag}: ${folder} cannot be read: ${cause.message}`, { cause });
  });
  tellOfSkipped(listing, folder);
  if (listing.names.length === 0)
    throw new OptionError(`${flag}: ${folder} holds no image (${IMAGE_EXTENSIONS.join(', ')})`);
  return listing.names.map((name) => path.join(folder, name));
}

/** Entries of a folder that are told one by one. */
const MOST_TOLD = 5;

function tellOfSkipped(listing: PictureListing, folder: string): void {
  for (const entry of listing.skipped.slice(0, MOST_TOLD)) note(`skipped: ${entry.path}: ${entry.reason}`);
  if (listing.skipped.length > MOST_TOLD) note(`skipped: ${listing.skipped.length - MOST_TOLD} more in ${folder}`);
  const unread = describeUnread(listing, folder);
  if (unread !== undefined) note(unread);
}

export interface EmbeddedFiles {
  /** The files that could be decoded. */
  readonly paths: readonly string[];
  /** [paths, dimension]. */
  readonly embeddings: Float32Array;
  readonly skipped: readonly ImageError[];
}

export interface EmbedFilesOptions {
  /** Whether a file that cannot be decoded is an error, and not left out. */
  readonly strict: boolean;
  /** The domain of all files; photos if left out. */
  readonly domain?: Sample['domain'];
  /** Reads a file as the model sees it. */
  readonly decode?: (file: string, size: number) => Promise<Uint8Array>;
  readonly onProgress?: (done: number) => void;
}

/**
 * Embeds image files; what cannot be decoded is left out.
 * @throws ImageError for the first such file, if `strict`
 */
export async function embedFiles(
  embeddings: ImageRows,
  files: readonly string[],
  { strict, domain = 'photo', decode = decodeImage, onProgress }: EmbedFilesOptions,
): Promise<EmbeddedFiles> {
  const skipped = new Map<string, ImageError>();
  const images: ImageSource = {
    async read({ name }, size) {
      try {
        return await decode(name, size);
      } catch (error) {
        if (strict || !(error instanceof ImageError)) throw error;
        skipped.set(name, error);
        // Its row is computed with the others' and dropped below.
        return new Uint8Array(3 * size * size);
      }
    },
  };
  const samples = files.map((name): Sample => ({ domain, className: '', name }));
  const rows = await embeddings.compute(samples, images, onProgress);
  const kept = files.flatMap((file, index) => (skipped.has(file) ? [] : [index]));
  const result = new Float32Array(kept.length * embeddings.width);
  kept.forEach((from, to) =>
    result.set(rows.subarray(from * embeddings.width, (from + 1) * embeddings.width), to * embeddings.width),
  );
  return { paths: kept.map((index) => files[index]), embeddings: result, skipped: [...skipped.values()] };
}
