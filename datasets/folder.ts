/** People's own data: `<root>/{sketch,photo}/<class>/*.{png,jpg,jpeg,webp,svg}`, or other folders of the two domains. */
import { checkDataset, type Dataset, type Sample } from '../src/data/dataset.ts';
import { decodeImage, decodeSketch, ImageError } from '../src/platform/node/images.ts';
import { ContentDigests } from '../src/platform/node/content-digests.ts';
import type { SketchFraming } from '../src/data/sketch-framing.ts';
import { sharedClasses } from '../src/data/class-names.ts';
import { findSamples, OWN_FOLDERS, type DomainFolders } from './folder-samples.ts';
import { holdOutSketches, requireFraction } from './hold-out.ts';
import { EDGE_SIDE, pictureStrokes, SketchDrawer, type SketchStrokes } from './simulated-sketches.ts';
import { chooseUnseen, type UnseenChoice } from './unseen-classes.ts';

/** Which folder is read, and how. */
export interface FolderOptions {
  readonly root: string;
  /** Where sketches and photos are in it. Default `sketch` and `photo`. */
  readonly folders?: DomainFolders;
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
    folders = OWN_FOLDERS,
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

  const { samples: found, withoutSketch } = await findSamples(root, folders, onNotice, trainable, pseudoSketches);
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
