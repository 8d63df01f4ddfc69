/** What a data set is to the rest of sketchgrad: named samples, split by class, and a way to read their pixels. */
import { classKey, sharedClasses } from './class-names.ts';
import { BoundedError } from '../formats/untrusted.ts';

/** Whether an image is a sketch or a photo. */
export type Domain = 'sketch' | 'photo';

/** The number of a domain in a batch. */
export const DOMAIN_INDEX: Readonly<Record<Domain, number>> = { sketch: 0, photo: 1 };

/** An image of a data set, by name. */
export interface Sample {
  readonly domain: Domain;
  readonly className: string;
  /** Unique in its data set: a path or a key. */
  readonly name: string;
  /**
   * Where it comes from, in a data set that was put together from several: training can draw from each source by its
   * weight.
   */
  readonly source?: string;
  /** The picture's name, if the sketch was simulated from a picture. */
  readonly of?: string;
}

/** Which of many images of a sample is meant, where a source makes another one for each use. */
export interface ImageDraw {
  readonly seed: number;
  /** u32: the step, and the place in its batch. */
  readonly address: readonly [number, number];
}

/** Where the images of samples come from. */
export interface ImageSource {
  /**
   * The sample's picture, stretched to `size` x `size`.
   *
   * @param draw decides a picture that is made anew for each use, such as a simulated sketch; the same draw gives the
   * same picture, and
   *   without one there is one picture of each sample. Sources of files have no use for it.
   * @returns RGB u8, row-major [size, size, 3]
   * @throws ImageError (platform) where the image cannot be decoded
   */
  read(sample: Sample, size: number, draw?: ImageDraw): Promise<Uint8Array>;
  /**
   * For each sample a digest of what its picture is decoded from, which tells whether it was changed; absent for a
   * source that does not know.
   * @param onProgress is called where that takes reading, with counts of files
   */
  identify?(samples: readonly Sample[], onProgress?: (done: number, total: number) => void): Promise<readonly string[]>;
}

/**
 * A data set for zero-shot sketch search: no class of `queries` and `gallery` occurs in `train` or
 * `validation`. A label is an index into `seenClasses`.
 */
export interface Dataset {
  readonly name: string;
  readonly seenClasses: readonly string[];
  readonly unseenClasses: readonly string[];
  /** Seen classes, both domains. */
  readonly train: readonly Sample[];
  /** Held-out sketches of seen classes, for the choice of the best checkpoint. */
  readonly validation: readonly Sample[];
  /** Sketches of unseen classes. */
  readonly queries: readonly Sample[];
  /** Photos of unseen classes. */
  readonly gallery: readonly Sample[];
  readonly images: ImageSource;
}

/** A data set that cannot be used as it is. The message says what to change. */
export class DatasetError extends BoundedError {
  override readonly name = 'DatasetError';
}

/**
 * Returns the data set if training and evaluation can rely on it.
 *
 * @param options trainable: false where the data is only measured on, so that every class may be unseen
 * @throws DatasetError where a class is both seen and unseen or there under two spellings (class-names.ts), a sample's
 * name occurs twice or its
 *   class is in the wrong split, or a class lacks one of the two domains
 */
export function checkDataset(dataset: Dataset, { trainable = true } = {}): Dataset {
  const seen = new Set(dataset.seenClasses);
  const unseen = new Set(dataset.unseenClasses);
  const shared = sharedClasses(dataset.unseenClasses, dataset.seenClasses);
  if (shared.length > 0) {
    throw new DatasetError(
      `${dataset.name}: ${list(shared)} both seen and unseen; take each class out of one of the two`,
    );
  }
  if (trainable && seen.size === 0) {
    throw new DatasetError(
      `${dataset.name}: no seen class is left to train on; give more classes or fewer unseen ones`,
    );
  }
  requireDistinct(dataset.name, dataset.seenClasses);
  requireDistinct(dataset.name, dataset.unseenClasses);
  const names = new Set<string>();
  const parts: [string, readonly Sample[], Set<string>][] = [
    ['train', dataset.train, seen],
    ['validation', dataset.validation, seen],
    ['queries', dataset.queries, unseen],
    ['gallery', dataset.gallery, unseen],
  ];
  for (const [part, samples, classes] of parts) {
    for (const sample of samples) {
      if (names.has(sample.name))
        throw new DatasetError(`${dataset.name}: ${sample.name} occurs twice; names must be unique`);
      names.add(sample.name);
      if (!classes.has(sample.className)) {
        throw new DatasetError(
          `${dataset.name}: ${sample.name} in ${part} has the class ${sample.className}, which belongs to another split`,
        );
      }
    }
  }
  requireBothDomains(dataset.name, dataset.seenClasses, dataset.train);
  // Where nothing is trained, photos of classes without a sketch make the search harder.
  if (trainable) requireBothDomains(dataset.name, dataset.unseenClasses, [...dataset.queries, ...dataset.gallery]);
  return dataset;
}

/** @throws DatasetError where a class is there under two spellings */
function requireDistinct(name: string, classes: readonly string[]): void {
  const known = new Map<string, string>();
  for (const className of classes) {
    const other = known.get(classKey(className));
    if (other !== undefined)
      throw new DatasetError(`${name}: "${other}" and "${className}" are one class; merge them or rename one`);
    known.set(classKey(className), className);
  }
}

function requireBothDomains(name: string, classes: readonly string[], samples: readonly Sample[]): void {
  for (const domain of ['sketch', 'photo'] as const) {
    const present = new Set(samples.filter((sample) => sample.domain === domain).map((sample) => sample.className));
    const missing = classes.filter((className) => !present.has(className));
    if (missing.length > 0) {
      throw new DatasetError(
        `${name}: ${list(missing)} without a ${domain}; add at least one to each or remove the class`,
      );
    }
  }
}

/** "classes a, b, c and 4 more are" or "class a is": a beginning for a sentence, short for any length. */
function list(classes: readonly string[]): string {
  const shown = classes.slice(0, 8).join(', ');
  const more = classes.length > 8 ? ` and ${classes.length - 8} more` : '';
  return `${classes.length === 1 ? 'class' : 'classes'} ${shown}${more} ${classes.length === 1 ? 'is' : 'are'}`;
}
