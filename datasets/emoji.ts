/**
 * The embedded default: the same things drawn by many artists, as sketches and as pictures.
 *
 * Iconify's npm packages carry emoji sets under free licences (emoji-attribution.md). Four sets are
 * the pictures. The sketches are a black-and-white set and the outlines of three more color sets;
 * no artist is in both domains, so a network cannot find a picture by its artist's hand.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import {
  checkDataset,
  DatasetError,
  type Dataset,
  type Domain,
  type ImageSource,
  type Sample,
} from '../src/data/dataset.ts';
import { cacheFolder } from '../src/platform/node/cache-folder.ts';
import { renderDrawing } from '../src/platform/node/images.ts';
import { packageFile } from '../src/platform/node/package-files.ts';
import { loadSharp } from '../src/platform/node/sharp.ts';
import { cachedPixels } from './pixel-cache.ts';

export interface EmojiSet {
  /** Iconify's name of the set, which is also the package's: `@iconify-json/<name>`. */
  readonly name: string;
  readonly artist: string;
  readonly domain: Domain;
  /**
   * Given where the sketch is made by tracing the shapes of a colored drawing: the white to add on
   * each side, as a share of the drawing's width. It keeps the pen inside where a set fills its
   * frame, and is negative where a set draws smaller than the others.
   */
  readonly outlineMargin?: number;
}

export const EMOJI_SETS: readonly EmojiSet[] = [
  { name: 'noto', artist: 'Google', domain: 'photo' },
  { name: 'noto-v1', artist: 'Google', domain: 'photo' },
  { name: 'fxemoji', artist: 'Mozilla', domain: 'photo' },
  { name: 'fluent-emoji-flat', artist: 'Microsoft', domain: 'photo' },
  { name: 'emojione-monotone', artist: 'Emoji One', domain: 'sketch' },
  { name: 'twemoji', artist: 'Twitter', domain: 'sketch', outlineMargin: 0.04 },
  { name: 'openmoji', artist: 'OpenMoji', domain: 'sketch', outlineMargin: -0.03 },
  { name: 'emojione', artist: 'Emoji One', domain: 'sketch', outlineMargin: 0.04 },
];

/**
 * `seen` classes are trained on, `unseen` ones only measured on. `settings` classes are trained on
 * as well, except while settings are chosen: then they take the place of the unseen ones, which
 * must not influence the choice.
 */
export type EmojiSplit = 'seen' | 'settings' | 'unseen';

/** A line of emoji-classes.json. */
export interface EmojiClass {
  readonly name: string;
  /** animals, food, travel, activities or objects. */
  readonly group: string;
  readonly split: EmojiSplit;
  /** The set whose sketch is held out for validation. */
  readonly validation?: string;
  /** The drawing's name in each set that has one. */
  readonly icons: Readonly<Record<string, string>>;
}

export interface EmojiOptions {
  /** Side in pixels at which images are kept, 16 to 256; at other sizes they are rendered when they are read. */
  readonly size: number;
  /** Which classes count as unseen; `settings` leaves the unseen ones out altogether. Default `unseen`. */
  readonly measureOn?: 'unseen' | 'settings';
  /** Where rendered images are kept. Default `$XDG_CACHE_HOME/sketchgrad`, else `~/.cache/sketchgrad`. */
  readonly cacheFolder?: string;
  /** Called while images are rendered; not called where the cache has them. */
  readonly onProgress?: (done: number, total: number) => void;
}

const require = createRequire(import.meta.url);

/** Raise this when svgOf changes, so that no older cache is taken for current. */
const DRAWING_VERSION = 1;
/** Pen width of the outlines, as a share of the image's side: 1.5 pixels in 64. */
const PEN_WIDTH = 1.5 / 64;

/** The committed classes, in emojibase's order. */
export async function emojiClasses(): Promise<EmojiClass[]> {
  return JSON.parse(await readFile(packageFile('datasets/emoji-classes.json'), 'utf8')) as EmojiClass[];
}

/**
 * The emoji data set at one size, rendered on first use and read from the cache afterwards.
 *
 * @throws DatasetError where the size is out of range or a drawing is missing from its package
 */
export async function loadEmoji(options: EmojiOptions): Promise<Dataset> {
  const { size, measureOn = 'unseen', onProgress } = options;
  if (!Number.isInteger(size) || size < 16 || size > 256) {
    throw new DatasetError(`emoji: the size must be a whole number from 16 to 256, and it is ${size}`);
  }
  const classes = await emojiClasses();
  const drawings = classes.flatMap(drawingsOf);
  const bytesPerImage = size * size * 3;
  const pixels = await cachedPixels({
    path: join(options.cacheFolder ?? cacheFolder(), `emoji-${size}-${await cacheKey(drawings)}`),
    names: drawings.map(({ sample }) => sample.name),
    bytesPerImage,
    render: (index) => renderDrawing(Buffer.from(svgOf(drawings[index], size)), size, drawings[index].sample.name),
    onProgress,
  });

  const positions = new Map(drawings.map(({ sample }, index) => [sample.name, index]));
  const images: ImageSource = {
    async read(sample, requested) {
      const index = positions.get(sample.name);
      if (index === undefined) throw new DatasetError(`emoji: there is no image ${sample.name}`);
      // A few images at another size, for a page, are not worth a cache of their own.
      if (requested !== size)
        return renderDrawing(Buffer.from(svgOf(drawings[index], requested)), requested, sample.name);
      return pixels.subarray(index * bytesPerImage, (index + 1) * bytesPerImage);
    },
    // The drawings are in the package, so their pixels are available.
    identify: async (samples) =>
      samples.map(({ name }) =>
        createHash('sha256')
          .update(svgOf(drawings[positions.get(name) as number], size))
          .digest('hex'),
      ),
  };

  const isUnseen = ({ split }: EmojiClass) => split === measureOn;
  const isSeen = ({ split }: EmojiClass) => split === 'seen' || (measureOn === 'unseen' && split === 'settings');
  const seen = drawings.filter(({ emoji }) => isSeen(emoji));
  const unseen = drawings.filter(({ emoji }) => isUnseen(emoji));
  const samplesOf = (chosen: Drawing[]) => chosen.map(({ sample }) => sample);
  return checkDataset({
    name: 'emoji',
    seenClasses: classes.filter(isSeen).map(({ name }) => name),
    unseenClasses: classes.filter(isUnseen).map(({ name }) => name),
    train: samplesOf(seen.filter(({ emoji, set }) => emoji.validation !== set.name)),
    validation: samplesOf(seen.filter(({ emoji, set }) => emoji.validation === set.name)),
    queries: samplesOf(unseen.filter(({ set }) => set.domain === 'sketch')),
    gallery: samplesOf(unseen.filter(({ set }) => set.domain === 'photo')),
    images,
  });
}

interface Drawing {
  readonly emoji: EmojiClass;
  readonly set: EmojiSet;
  readonly sample: Sample;
}

function drawingsOf(emoji: EmojiClass): Drawing[] {
  return EMOJI_SETS.filter(({ name }) => name in emoji.icons).map((set) => ({
    emoji,
    set,
    sample: { domain: set.domain, className: emoji.name, name: `${set.domain}/${emoji.name}/${set.name}` },
  }));
}

interface IconSet {
  readonly width?: number;
  readonly height?: number;
  readonly icons: Readonly<Record<string, { body: string; width?: number; height?: number }>>;
}

/** A drawing as an SVG document of `size` x `size` pixels. */
function svgOf({ set, emoji }: Drawing, size: number): string {
  const icons = require(`@iconify-json/${set.name}/icons.json`) as IconSet;
  const icon = icons.icons[emoji.icons[set.name]];
  if (icon === undefined) {
    throw new DatasetError(
      `emoji: @iconify-json/${set.name} has no drawing "${emoji.icons[set.name]}" any more; install the version in package-lock.json (npm ci)`,
    );
  }
  const width = icon.width ?? icons.width ?? 16;
  const height = icon.height ?? icons.height ?? 16;
  const margin = set.outlineMargin ?? 0;
  const frame = [-margin * width, -margin * height, (1 + 2 * margin) * width, (1 + 2 * margin) * height];
  const body = set.outlineMargin === undefined ? icon.body : outline(icon.body, PEN_WIDTH * frame[2]);
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${size}" height="${size}" viewBox="${frame.join(' ')}">${body}</svg>`;
}

/** The contours of every shape, drawn with one thin black pen: what remains of a colored drawing as a sketch. */
function outline(body: string, penWidth: number): string {
  const bare = body.replace(/ (?:fill|stroke|opacity|paint-order|class|color)(?:-[a-z]+)?="[^"]*"/g, '');
  return `<g fill="none" stroke="#000" stroke-width="${penWidth}" stroke-linejoin="round" stroke-linecap="round">${bare}</g>`;
}

/** Other packages, another renderer or other classes give other pixels, hence another file. */
async function cacheKey(drawings: readonly Drawing[]): Promise<string> {
  const versions = EMOJI_SETS.map(
    ({ name }) => (require(`@iconify-json/${name}/package.json`) as { version: string }).version,
  );
  const images = drawings.map(({ emoji, set }) => [set.name, emoji.icons[set.name]]);
  const content = { DRAWING_VERSION, PEN_WIDTH, EMOJI_SETS, versions, renderer: (await loadSharp()).versions, images };
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12);
}
