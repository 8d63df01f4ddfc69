// A data set in memory: each class is a rectangle of its own place and form, dark on white in sketches, colored in
// photos.
import type { Dataset, Domain, Sample } from '../../src/data/dataset.ts';
import { RandomStream } from '../../src/random/philox.ts';
import { PAPER_RECIPE, type RetrievalTraining } from '../../src/training/recipe.ts';

export const TINY_SIZE = 32;

/** The pixels of one of a class's images, RGB u8 [size, size, 3]. */
export function shapePixels(className: string, domain: Domain, variant: number, size = TINY_SIZE): Uint8Array {
  const kind = className.charCodeAt(className.length - 1);
  const random = new RandomStream(kind, 0, [domain === 'photo' ? 1 : 0, variant]);
  const [left, top] = [2 + ((kind * 5) % 12), 2 + ((kind * 7) % 12)].map((place) => place + random.integer(3));
  const [width, height] = [6 + ((kind * 3) % 12), 6 + ((kind * 11) % 12)];
  const colour = domain === 'sketch' ? [0, 0, 0] : [(kind * 83) % 200, (kind * 41) % 200, 60 * variant];
  const pixels = new Uint8Array(3 * size * size).fill(255);
  for (let y = top; y < Math.min(size, top + height); y++)
    for (let x = left; x < Math.min(size, left + width); x++) pixels.set(colour, 3 * (y * size + x));
  return pixels;
}

/** Four seen classes and two unseen ones, three images each; one sketch of each seen class is held out. */
export function shapesDataset(): Dataset {
  const samples = (classes: readonly string[], domain: Domain, variants: readonly number[]): Sample[] =>
    classes.flatMap((className) =>
      variants.map((variant) => ({ domain, className, name: `${domain}/${className}/${variant}` })),
    );
  const seenClasses = ['shape a', 'shape b', 'shape c', 'shape d'];
  const unseenClasses = ['shape e', 'shape f'];
  return {
    name: 'shapes',
    seenClasses,
    unseenClasses,
    train: [...samples(seenClasses, 'sketch', [0, 1]), ...samples(seenClasses, 'photo', [0, 1, 2])],
    validation: samples(seenClasses, 'sketch', [2]),
    queries: samples(unseenClasses, 'sketch', [0, 1, 2]),
    gallery: samples(unseenClasses, 'photo', [0, 1, 2]),
    images: {
      read: async ({ className, domain, name }, size) => shapePixels(className, domain, Number(name.at(-1)), size),
    },
  };
}

/** A quarter-width ResNet50 on 32 px, batches of 2 x (1 + 1). */
export const TINY_TRAINING: RetrievalTraining = {
  ...PAPER_RECIPE,
  steps: 6,
  imageSize: TINY_SIZE,
  network: { ...PAPER_RECIPE.network, width: 0.25, embedding: 16 },
  classesPerBatch: 2,
  imagesPerDomain: 1,
  schedule: { learningRate: 1e-3, warmupSteps: 0, decay: 'cosine', final: 0.01 },
};
