/** People's own data: `<root>/{sketch,photo}/<class>/*.{png,jpg,jpeg,webp,svg}`. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkDataset, DatasetError, type Dataset, type Domain, type Sample } from '../src/data/dataset.ts';
import { decodeImage, decodeSketch, IMAGE_EXTENSIONS, ImageError } from '../src/platform/node/images.ts';
import { describeUnread, listFolders, listPictures, type SkippedEntry } from '../src/platform/node/picture-files.ts';
import { ContentDigests } from '../src/platform/node/content-digests.ts';
import { decodeText } from '../src/formats/text.ts';
import type { SketchFraming } from '../src/data/sketch-framing.ts';
import { RandomStream, STREAM } from '../src/random/philox.ts';
import { classKey, sharedClasses } from '../src/data/class-names.ts';
import { holdOutSketches, requireFraction } from './hold-out.ts';
import { EDGE_SIDE, pictureStrokes, SketchDrawer, type SketchStrokes } from './simulated-sketches.ts';

/**
 * Which classes are unseen: these; the lines of this text file; all others than these; or this share of all, drawn by
 * the seed.
 */
export type UnseenChoice =
  | { readonly classes: readonly string[] }
  | { readonly listFile: string }
  /** All but the classes that a model was trained on. */
  | { readonly allBut: readonly string[] }
  | { readonly fraction: number };

/** Which folder is read, and how. */
export interface FolderOptions {
  readonly root: string;
  /** Side in pixels at which images are decoded and kept. Reading at another size decodes again. */
  readonly size: number;
  /** How sketches are laid out. Default `whole`. */
  readonly sketches?: SketchFraming;
  /** Default: a fifth of the classes. */
  readonly unseen?: UnseenChoice;
  /** Share of the seen classes' sketches that is held out for validation, 0 up to 1. Default 0.05. */
  readonly validationFraction?: number;
  /** Seed of both draws, u32. Default 0. */
  readonly seed?: number;
  /** Whether an image that cannot be decoded stops the loading instead of being skipped. Default false. */
  readonly strict?: boolean;
  /** False where the data is only measured on, so that every class may be unseen. Default true. */
  readonly trainable?: boolean;
  /**
   * Whether pictures give simulated sketches: each photo of a seen class another one at each step, beside the sketches
   * that there are, and each photo of an unseen class without a sketch one to search with. Then there need be no sketch
   * at all. Default false.
   */
  readonly pseudoSketches?: boolean;
  /** Decoded images stay in memory if all of them together need no more bytes than this. Default 2 GiB. */
  readonly memoryBudget?: number;
  /** Receives the number of images read, and of all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Hears of entries of the folders that are skipped, and why. */
  readonly onNotice?: (notice: string) => void;
}

export interface FolderDataset extends Dataset {
  /** The images that were skipped, each with its path and cause. */
  readonly skipped: readonly ImageError[];
}

const DOMAINS: readonly Domain[] = ['sketch', 'photo'];
const DECODED_AT_A_TIME = 64;

/**
 * Reads a folder as a data set. Class folders match between the domains, and names in the list of
 * unseen classes match class folders, whatever their case, blanks, hyphens and underscores. A
 * sample's name is its path.
 *
 * Every image is decoded once before anything is trained: a damaged file found in the middle of a
 * run would change the order of the data, and the run could not be repeated.
 *
 * @throws DatasetError where folders, classes or options do not make a data set; says what to change
 * @throws ImageError for the first image that cannot be decoded, if `strict`
 */
export async function loadFolder(options: FolderOptions): Promise<FolderDataset> {
  const {
    root,
    size,
    unseen = { fraction: 0.2 },
    validationFraction = 0.05,
    seed = 0,
    strict = false,
    trainable = true,
    pseudoSketches = false,
    memoryBudget = 2 ** 31,
    onNotice = () => undefined,
  } = options;
  requireFraction('the validation fraction', validationFraction);

  const { samples: found, withoutSketch } = await findSamples(root, onNotice, trainable, pseudoSketches);
  const known = new Set('allBut' in unseen ? sharedClasses(withoutSketch, unseen.allBut) : []);
  const distractors = withoutSketch.filter((name) => !known.has(name));
  if (distractors.length > 0)
    onNotice(
      `${distractors.length} classes without a sketch are searched as well: ${distractors.slice(0, 8).join(', ')}${distractors.length > 8 ? ' ...' : ''}`,
    );
  const classNames = [...new Set(found.map(({ className }) => className))].sort();
  const chosen = await chooseUnseen(
    root,
    'fraction' in unseen ? classNames.filter((name) => !distractors.includes(name)) : classNames,
    unseen,
    seed,
    trainable,
  );
  const unseenClasses = [...new Set([...chosen, ...distractors])];

  const keep = found.length * size * size * 3 <= memoryBudget;
  const { decoded, skipped } = await decodeAll(found, options, keep);
  if (strict && skipped.length > 0) throw skipped[0];
  const real = found.filter(({ name }) => decoded.has(name));
  const drawer = new SketchDrawer();
  const simulated = pseudoSketches ? await simulatedSketches(real) : new Map<string, Simulated>();
  const sketched = new Set(real.filter(({ domain }) => domain === 'sketch').map(({ className }) => className));

  const isUnseen = new Set(unseenClasses);
  const samples = [
    ...real,
    ...[...simulated.values()]
      .map(({ sample }) => sample)
      .filter(({ className }) => !isUnseen.has(className) || !sketched.has(className)),
  ];
  const seenSamples = samples.filter(({ className }) => !isUnseen.has(className));
  // A checkpoint is chosen by real sketches where there are any.
  const validation = holdOutSketches(
    sketched.size > 0 ? seenSamples.filter(({ name }) => !simulated.has(name)) : seenSamples,
    validationFraction,
    seed,
  );
  const dataset = checkDataset(
    {
      name: root,
      seenClasses: classNames.filter((name) => !isUnseen.has(name)),
      unseenClasses,
      train: seenSamples.filter((sample) => !validation.has(sample)),
      validation: [...validation],
      queries: samples.filter(({ className, domain }) => isUnseen.has(className) && domain === 'sketch'),
      gallery: samples.filter(({ className, domain }) => isUnseen.has(className) && domain === 'photo'),
      images: {
        async read(sample, requested, draw) {
          const strokes = simulated.get(sample.name);
          if (strokes !== undefined) return drawer.draw(strokes, requested, draw);
          return (requested === size && decoded.get(sample.name)) || decodeSample(sample, requested, options.sketches);
        },
        identify: async (asked, onReading) =>
          (await ContentDigests.open(root)).of(
            asked.map(({ name }) => simulated.get(name)?.photo ?? name),
            onReading,
          ),
      },
    },
    { trainable },
  );
  return { ...dataset, skipped };
}

/** @returns also the classes that have photos only, which may be searched where nothing is trained */
async function findSamples(
  root: string,
  onNotice: (notice: string) => void,
  trainable: boolean,
  pseudoSketches: boolean,
): Promise<{ readonly samples: Sample[]; readonly withoutSketch: readonly string[] }> {
  const layout = `${root} must hold sketch/<class>/ and photo/<class>/ with images in them`;
  const folders: Record<Domain, Map<string, string>> = { sketch: new Map(), photo: new Map() };
  for (const domain of DOMAINS) {
    if (pseudoSketches && domain === 'sketch' && !existsSync(join(root, domain))) continue;
    for (const name of await subfolders(join(root, domain), layout, onNotice)) {
      const other = folders[domain].get(classKey(name));
      if (other !== undefined)
        throw new DatasetError(
          `${join(root, domain)}: the folders "${other}" and "${name}" name one class; merge them or rename one`,
        );
      folders[domain].set(classKey(name), name);
    }
  }
  let withoutSketch: readonly string[] = [];
  for (const [domain, other] of [
    ['sketch', 'photo'],
    ['photo', 'sketch'],
  ] as const) {
    const lone = [...folders[domain].keys()]
      .filter((key) => !folders[other].has(key))
      .map((key) => folders[domain].get(key) as string);
    if (domain === 'photo' && pseudoSketches) continue;
    if (domain === 'photo' && !trainable) withoutSketch = lone;
    else if (lone.length > 0) {
      throw new DatasetError(
        `${join(root, domain)} has the classes ${lone.join(', ')}, which ${join(root, other)} lacks; add them there or remove them here${domain === 'photo' ? ', or let --pseudo-sketches draw sketches of the photos' : ''}`,
      );
    }
  }
  if (folders.photo.size === 0) throw new DatasetError(`no class was found: ${layout}`);

  const samples: Sample[] = [];
  for (const domain of DOMAINS) {
    for (const key of [...folders[domain].keys()].sort()) {
      const folder = join(root, domain, folders[domain].get(key) as string);
      const listing = await listPictures(folder, { deep: false }).catch((cause: Error) => {
        throw new DatasetError(`${folder} cannot be read: ${cause.message}`, { cause });
      });
      const files = listing.names;
      tellOfSkipped(listing.skipped, onNotice);
      const unread = describeUnread(listing, folder);
      if (unread !== undefined) onNotice(unread);
      if (files.length === 0) {
        throw new DatasetError(
          `${folder} has no image (${IMAGE_EXTENSIONS.join(', ')}); add one, or remove the class from sketch/ and photo/`,
        );
      }
      // The photo folder's spelling names the class.
      const className = folders.photo.get(key) as string;
      for (const file of files) samples.push({ domain, className, name: join(folder, file) });
    }
  }
  return { samples, withoutSketch };
}

interface Simulated extends SketchStrokes {
  readonly sample: Sample;
  readonly photo: string;
}

/** A sketch for each photo, by its name. A photo without an edge has none. */
async function simulatedSketches(samples: readonly Sample[]): Promise<Map<string, Simulated>> {
  const simulated = new Map<string, Simulated>();
  for (const { domain, className, name: photo } of samples) {
    if (domain !== 'photo') continue;
    const strokes = pictureStrokes(await decodeImage(photo, EDGE_SIDE));
    const name = `${photo} (simulated sketch)`;
    if (strokes[0] > 0)
      simulated.set(name, {
        sample: { domain: 'sketch', className, name, source: 'simulated', of: photo },
        photo,
        strokes,
        from: 'picture',
      });
  }
  return simulated;
}

function tellOfSkipped(skipped: readonly SkippedEntry[], onNotice: (notice: string) => void): void {
  for (const { path, reason } of skipped) onNotice(`skipped: ${path}: ${reason}`);
}

/** Links are followed: large data sets often live on another disk. */
async function subfolders(
  folder: string,
  layout: string,
  onNotice: (notice: string) => void,
): Promise<readonly string[]> {
  const { names, skipped } = await listFolders(folder).catch((cause: Error) => {
    throw new DatasetError(`${folder} cannot be read (${cause.message}): ${layout}`, { cause });
  });
  tellOfSkipped(skipped, onNotice);
  return names;
}

async function chooseUnseen(
  root: string,
  classNames: readonly string[],
  choice: UnseenChoice,
  seed: number,
  trainable: boolean,
): Promise<string[]> {
  if ('allBut' in choice) {
    const known = new Set(sharedClasses(classNames, choice.allBut));
    const others = classNames.filter((name) => !known.has(name));
    if (others.length === 0)
      throw new DatasetError(`the model was trained on every class of ${root}; add classes that it does not know`);
    return others;
  }
  if ('fraction' in choice) {
    // Who only measures may measure on all.
    if (trainable || choice.fraction !== 1) requireFraction('the fraction of unseen classes', choice.fraction);
    const count = Math.round(classNames.length * choice.fraction);
    const drawn = new RandomStream(seed, STREAM.split).shuffle([...classNames]).slice(0, count);
    return drawn.sort();
  }
  const listed = 'classes' in choice ? choice.classes : await linesOf(choice.listFile);
  if (listed.length === 0)
    throw new DatasetError(`no unseen class is named; name classes of ${root}, or give a share of all`);
  const byKey = new Map(classNames.map((name) => [classKey(name), name]));
  const unknown = listed.filter((name) => !byKey.has(classKey(name)));
  if (unknown.length > 0) {
    throw new DatasetError(
      `unseen classes that ${root} does not have: ${unknown.join(', ')}; correct the list. Its classes are: ${classNames.join(', ')}`,
    );
  }
  return [...new Set(listed.map((name) => byKey.get(classKey(name)) as string))].sort();
}

async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path)
    .then(decodeText)
    .catch((cause: Error) => {
      throw new DatasetError(
        `the list of unseen classes cannot be read: ${cause.message}; give a text file with one class a line`,
        { cause },
      );
    });
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0)
    throw new DatasetError(`the list of unseen classes ${path} is empty; give a text file with one class a line`);
  return lines;
}

const decodeSample = ({ domain, name }: Sample, size: number, sketches?: SketchFraming): Promise<Uint8Array> =>
  domain === 'sketch' ? decodeSketch(name, size, sketches) : decodeImage(name, size);

/** Decodes every sample; where the pixels are not kept, an entry says only that there are some. */
async function decodeAll(
  samples: readonly Sample[],
  { size, sketches, strict, onProgress }: FolderOptions,
  keep: boolean,
) {
  const decoded = new Map<string, Uint8Array | undefined>();
  const skipped: ImageError[] = [];
  for (let start = 0; start < samples.length; start += DECODED_AT_A_TIME) {
    const group = samples.slice(start, start + DECODED_AT_A_TIME);
    const results = await Promise.allSettled(group.map((sample) => decodeSample(sample, size, sketches)));
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') decoded.set(group[index].name, keep ? result.value : undefined);
      else if (result.reason instanceof ImageError) skipped.push(result.reason);
      else throw result.reason;
    }
    if (strict && skipped.length > 0) break;
    onProgress?.(start + group.length, samples.length);
  }
  return { decoded, skipped };
}
