/**
 * What a training on the visitor's own classes is made of: the data set, the recipe, and whether the result is worth
 * keeping.
 */
import { DEFAULT_AUGMENTATION } from '../../src/data/augmentation.ts';
import type { Dataset, Sample } from '../../src/data/dataset.ts';
import type { ModelFile } from '../../src/models/model-file.ts';
import { readModelDescription, type NetworkInput } from '../../src/models/retrieval-model.ts';
import { DEFAULT_LOSSES } from '../../src/training/retrieval-loss.ts';
import { PAPER_RECIPE, type RetrievalTraining } from '../../src/training/recipe.ts';
import { squareOf, type Picture } from './pictures.ts';

/** A class of the user's. */
export interface OwnClass {
  readonly name: string;
  readonly sketches: readonly Picture[];
  readonly photos: readonly Picture[];
}

/** A picture of a class that cannot be decoded. */
export interface UnreadablePicture {
  readonly className: string;
  readonly domain: 'sketch' | 'photo';
  /** Among the class's sketches, or its photos. */
  readonly index: number;
  /** The name of its file, where it came as one. */
  readonly name: string;
}

/** Too few pictures are left to train on. */
export class OwnClassesError extends Error {
  override readonly name = 'OwnClassesError';
}

/** Steps over which the last losses are averaged. */
const LOSS_WINDOW = 5;
/** The loss of a batch differs from another's by less than this factor, unless the training diverges. */
const DIVERGED = 2;

/**
 * The user's pictures as a data set; all classes are seen. A picture that cannot be decoded is passed over, and so is
 * a class that has no sketch or no photo left.
 * @param input of the model that the training starts from
 * @throws OwnClassesError where fewer than two classes are left, with the names of the pictures
 */
export async function ownDataset(
  classes: readonly OwnClass[],
  { imageSize, sketches: framing }: Pick<NetworkInput, 'imageSize' | 'sketches'>,
  onNote: (note: string) => void,
): Promise<{ readonly dataset: Dataset; readonly unreadable: readonly UnreadablePicture[] }> {
  const pixels = new Map<string, Uint8Array>();
  const seenClasses: string[] = [];
  const train: Sample[] = [];
  const unreadable: UnreadablePicture[] = [];
  const total = classes.reduce((sum, { sketches, photos }) => sum + sketches.length + photos.length, 0);
  let read = 0;
  for (const { name: className, sketches, photos } of classes) {
    const samples: Sample[] = [];
    for (const [domain, pictures] of [
      ['sketch', sketches],
      ['photo', photos],
    ] as const) {
      for (const [index, picture] of pictures.entries()) {
        onNote(`Reading ${++read} of ${total} pictures`);
        const name = `${domain}/${className}/${index}`;
        try {
          pixels.set(name, await squareOf(picture, imageSize, name, domain === 'sketch' ? framing : 'whole'));
          samples.push({ domain, className, name });
        } catch {
          unreadable.push({
            className,
            domain,
            index,
            name: picture instanceof File ? picture.name : `${domain} ${index + 1}`,
          });
        }
      }
    }
    if (!(['sketch', 'photo'] as const).every((domain) => samples.some((sample) => sample.domain === domain))) continue;
    seenClasses.push(className);
    for (const sample of samples) train.push(sample);
  }
  if (seenClasses.length < 2) {
    const named = unreadable
      .slice(0, 5)
      .map(({ className, name }) => `${name} (${className})`)
      .join(', ');
    throw new OwnClassesError(
      `Two classes with a readable sketch and picture each are needed. Not readable: ${named}${unreadable.length > 5 ? ` and ${unreadable.length - 5} more` : ''}.`,
    );
  }
  const images = { read: ({ name }: Sample): Promise<Uint8Array> => Promise.resolve(pixels.get(name) as Uint8Array) };
  return {
    dataset: {
      name: 'classes of your own',
      seenClasses,
      unseenClasses: [],
      train,
      validation: [],
      queries: [],
      gallery: [],
      images,
    },
    unreadable,
  };
}

/** The paper's recipe for a few classes and a model that is trained already: its own network and size, no teacher. */
export function ownRecipe(
  file: ModelFile,
  imageSize: number,
  { seenClasses }: Dataset,
  steps: number,
  learningRate: number,
): RetrievalTraining {
  const {
    sketches,
    views,
    settings: { backbone, width, stride, batchNormEpsilon, batchNormMomentum, batchNormDomains, embedding },
  } = readModelDescription(file, 'the model');
  return {
    ...PAPER_RECIPE,
    steps,
    imageSize,
    ...(sketches === 'fitted' && { sketches }),
    ...(views === 'mirrored' && { views }),
    network: {
      ...(backbone && { backbone }),
      width,
      stride,
      batchNormEpsilon,
      batchNormMomentum,
      ...(batchNormDomains && { batchNormDomains }),
      embedding,
    },
    classesPerBatch: Math.min(seenClasses.length, 8),
    imagesPerDomain: 1,
    losses: { ...DEFAULT_LOSSES, preservation: 0 },
    schedule: { learningRate, warmupSteps: Math.min(5, steps >> 1), decay: 'cosine', final: 0.01 },
    augmentation: { ...DEFAULT_AUGMENTATION },
  };
}

/**
 * Why a trained model is no better than what it started from: then it takes no other model's place.
 * @param losses of every step
 */
export function whyUseless(
  { step, state }: Pick<ModelFile, 'step' | 'state'>,
  losses: readonly number[],
): string | undefined {
  if (step === 0) return 'no step was done';
  for (const [name, { values }] of state)
    if (!values.every(Number.isFinite)) return `it diverged: ${name} is not finite`;
  const count = Math.min(LOSS_WINDOW, losses.length >> 1);
  if (count === 0) return undefined;
  // The first one alone comes before any change of the weights.
  const [first] = losses;
  const last = losses.slice(-count).reduce((sum, loss) => sum + loss, 0) / count;
  return last < DIVERGED * first
    ? undefined
    : `it diverged: the loss grew from ${first.toFixed(3)} to ${last.toFixed(3)}`;
}
