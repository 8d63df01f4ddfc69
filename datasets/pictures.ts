/** Samples whose pixels come from image files or from drawings, and the reading of them. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatasetError, type ImageSource, type Sample } from '../src/data/dataset.ts';
import { ContentDigests } from '../src/platform/node/content-digests.ts';
import { cacheFolder } from '../src/platform/node/cache-folder.ts';
import type { SketchFraming } from '../src/data/sketch-framing.ts';
import { decodeImage, decodeSketch, ImageError, renderDrawing } from '../src/platform/node/images.ts';
import { loadSharp } from '../src/platform/node/sharp.ts';
import { readDrawing, type DrawingPlace } from './drawings.ts';
import { PixelFile } from './pixel-file.ts';

/** A sample on disk. Its name is its path; a drawing's, the path of its file, # and its key_id. */
export interface Picture extends Sample {
  /** Its position in its file, if it is a drawing. */
  readonly drawing?: DrawingPlace;
  /** The line of the list that names it, if one does. */
  readonly listed?: { readonly file: string; readonly line: number };
}

export interface PictureOptions {
  /** Side in pixels at which decoded pictures are kept. Reading at another size decodes again. */
  readonly size: number;
  /** How sketches are laid out. Default `whole`. */
  readonly sketches?: SketchFraming;
  /** Decoded pictures are kept on disk if all of them together need no more bytes than this. Default 4 GiB. */
  readonly cacheBudget?: number;
  /** Where they are kept. Default `$XDG_CACHE_HOME/sketchgrad`, else `~/.cache/sketchgrad`. */
  readonly cacheFolder?: string;
  /** Hears of what a user should know: that pictures are not kept, and why. */
  readonly onNotice?: (notice: string) => void;
}

/** Raise this when the same file is to give other pixels than before. */
const DECODING_VERSION = 3;
const DEFAULT_CACHE_BUDGET = 4 * 2 ** 30;

/**
 * What a picture is decoded from: its file, or its drawing as SVG. @throws ImageError where a drawing cannot be read
 */
export async function encodedPicture({ name, drawing }: Picture): Promise<string | Buffer> {
  if (drawing === undefined) return name;
  try {
    return await readDrawing(drawing);
  } catch (cause) {
    throw new ImageError(`${drawing.file}:${drawing.line}`, cause);
  }
}

/** A source of images that keeps decoded pictures in a file. */
export interface PictureSource extends ImageSource {
  /** Closes the file of decoded pictures, after which nothing can be read. The end of the process does so too. */
  close(): void;
}

/**
 * Reads pictures and keeps them, decoded, on disk. A picture that cannot be read is an ImageError when its turn comes.
 */
export async function openPictures(pictures: readonly Picture[], options: PictureOptions): Promise<PictureSource> {
  const { size, sketches = 'whole', cacheBudget = DEFAULT_CACHE_BUDGET, onNotice } = options;
  // In the order of their names, so that splits of the same files share a cache.
  const names = pictures.map(({ name }) => name).sort();
  const slots = new Map(names.map((name, slot) => [name, slot]));
  const byName = new Map(pictures.map((picture) => [picture.name, picture]));
  const decode = async (picture: Picture, side: number): Promise<Uint8Array> => {
    const encoded = await encodedPicture(picture);
    const { domain, name } = picture;
    if (domain === 'sketch' && sketches !== 'whole') return decodeSketch(encoded, side, sketches, name);
    return typeof encoded === 'string' ? decodeImage(encoded, side, name) : renderDrawing(encoded, side, name);
  };

  const bytesPerImage = 3 * size * size;
  const needed = PixelFile.bytesFor(names.length, bytesPerImage);
  const keep = needed <= cacheBudget;
  if (!keep)
    onNotice?.(
      `decoded, these ${names.length} images need ${gibibytes(needed)} on disk, more than the ${gibibytes(cacheBudget)} of --pixel-cache: they are decoded at each use`,
    );
  const path = join(
    options.cacheFolder ?? cacheFolder(),
    `pictures-${size}-${sketches === 'whole' ? '' : `${sketches}-`}${await cacheKey(names)}.pixels`,
  );
  const file = keep
    ? await PixelFile.open({
        path,
        bytesPerImage,
        onFull: (cause) => onNotice?.(`decoded images are no longer kept in ${path}: ${cause.message}`),
      })
    : undefined;
  return {
    async read({ name }, requested) {
      const picture = byName.get(name);
      const slot = slots.get(name);
      if (picture === undefined || slot === undefined)
        throw new DatasetError(`there is no image ${name} in the data set`);
      if (file === undefined || requested !== size) return decode(picture, requested);
      return file.read(slot, await stampOf(picture), () => decode(picture, size));
    },
    async identify(samples, onProgress) {
      const places = samples.map(({ name }) => byName.get(name)?.drawing);
      const digests = await ContentDigests.open(path);
      const found = await digests.of(
        samples.map(({ name }, index) => places[index]?.file ?? name),
        onProgress,
      );
      // The place of a drawing tells it from the others of its file.
      return found.map((digest, index) => (places[index] === undefined ? digest : `${digest} ${places[index].offset}`));
    },
    close: () => file?.close(),
  };
}

/** A file that was replaced has another time or size. @throws ImageError where it is missing */
async function stampOf({ name, drawing }: Picture): Promise<string> {
  const path = drawing?.file ?? name;
  const found = await stat(path).catch((cause: unknown) => {
    throw new ImageError(path, cause);
  });
  return `${found.size} ${found.mtimeMs} ${drawing?.offset ?? 0}`;
}

/** Other files or another decoder give other pixels, hence another file. */
async function cacheKey(names: readonly string[]): Promise<string> {
  return createHash('sha256')
    .update(JSON.stringify({ DECODING_VERSION, renderer: (await loadSharp()).versions, names }))
    .digest('hex')
    .slice(0, 12);
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
