/** Batches ready for the GPU, read ahead of their use so that the GPU need not wait for decoding. */
import { changeAppearance, type AppearanceAugmentation } from './appearance.ts';
import { identityTransforms } from './augmentation.ts';
import { DOMAIN_INDEX, type ImageDraw, type ImageSource, type Sample } from './dataset.ts';
import type { Sampler } from './sampler.ts';

/** N images of S x S pixels and how to place them. */
export interface ImageBatch {
  readonly step: number;
  /** RGB u8, [N, S, S, 3]. */
  readonly images: Uint8Array;
  /** [N, TRANSFORM_FLOATS], see augmentation.ts. */
  readonly transforms: Float32Array;
  /** 0 sketch, 1 photo, [N]. */
  readonly domains: Uint32Array;
}

export interface TrainingBatch extends ImageBatch {
  /** Indices into the seen classes, [N]. */
  readonly labels: Uint32Array;
}

export interface OrderedBatch extends ImageBatch {
  /** How many of the N images are of the list; the rest fills up the last batch. */
  readonly count: number;
}

/** Which batches are read, and how. */
export interface BatchOptions {
  readonly sampler: Sampler;
  readonly images: ImageSource;
  /** S, the side in pixels at which images are read. */
  readonly sourceSize: number;
  /** The transforms of a step's batch, [N, TRANSFORM_FLOATS]. */
  readonly transforms: (domains: Uint32Array, step: number) => Float32Array;
  /** The first step. Default 0; a resumed run gives the number of steps done. */
  readonly from?: number;
  /** The step to stop before. Default: never. */
  readonly to?: number;
  /** Batches that are read ahead. Default 3. */
  readonly ahead?: number;
  /** Seed of images that are made anew for each use (`ImageDraw`), u32. Default: each sample has one image. */
  readonly seed?: number;
  /** Changes of what images look like; they need a seed. Default: none. */
  readonly appearance?: AppearanceAugmentation;
}

/**
 * The batches of steps `from` up to `to`, in order. An image that cannot be read makes the batch
 * it belongs to throw, when that batch's turn comes. Leaving the loop stops the reading.
 */
export function batches(options: BatchOptions): AsyncGenerator<TrainingBatch, void, undefined> {
  const { sampler, images, sourceSize, transforms, from = 0, to = Infinity, ahead = 3, seed, appearance } = options;
  if (appearance !== undefined && seed === undefined)
    throw new RangeError('batches: the appearance of images is changed by a seed; give one');
  return readAhead(from, to, ahead, async (step) => {
    const { samples, labels, domains } = sampler.batch(step);
    const read = await readImages(samples, images, sourceSize, { step, seed });
    if (appearance !== undefined && seed !== undefined)
      changeAppearance(read, domains, { size: sourceSize, seed, step, ...appearance });
    return {
      step,
      images: read,
      transforms: transforms(domains, step),
      labels,
      domains,
    };
  });
}

/**
 * A list of samples in its own order, unaugmented, for embedding: image `i` of batch `step` is
 * sample `step * batchSize + i`. The last batch is filled up with its last sample, since the
 * network runs on batches of one size.
 */
export function inOrder(
  samples: readonly Sample[],
  batchSize: number,
  {
    images,
    sourceSize,
    outputSize,
    ahead = 3,
  }: { images: ImageSource; sourceSize: number; outputSize: number; ahead?: number },
): AsyncGenerator<OrderedBatch, void, undefined> {
  const transforms = identityTransforms(batchSize, { sourceSize, outputSize });
  return readAhead(0, Math.ceil(samples.length / batchSize), ahead, async (step) => {
    const own = samples.slice(step * batchSize, (step + 1) * batchSize);
    const read = await readImages(own, images, sourceSize, { count: batchSize });
    const last = read.slice((own.length - 1) * 3 * sourceSize ** 2, own.length * 3 * sourceSize ** 2);
    for (let index = own.length; index < batchSize; index++) read.set(last, index * last.length);
    return {
      step,
      count: own.length,
      images: read,
      transforms,
      domains: Uint32Array.from(
        { length: batchSize },
        (_, index) => DOMAIN_INDEX[own[Math.min(index, own.length - 1)].domain],
      ),
    };
  });
}

/**
 * @param count places in the batch; the first ones are filled @param seed with which images are drawn anew for the step
 */
async function readImages(
  samples: readonly Sample[],
  source: ImageSource,
  size: number,
  { count = samples.length, step = 0, seed }: { count?: number; step?: number; seed?: number },
): Promise<Uint8Array> {
  const bytes = size * size * 3;
  const images = new Uint8Array(count * bytes);
  const drawOf = (index: number): ImageDraw | undefined =>
    seed === undefined ? undefined : { seed, address: [step, index] };
  await Promise.all(
    samples.map(async (sample, index) => images.set(await source.read(sample, size, drawOf(index)), index * bytes)),
  );
  return images;
}

/** Yields make(from), make(from + 1), ... up to `to`, with `ahead` of them under way while one is used. */
async function* readAhead<T>(
  from: number,
  to: number,
  ahead: number,
  make: (step: number) => Promise<T>,
): AsyncGenerator<T, void, undefined> {
  const underWay: Promise<T>[] = [];
  try {
    let next = from;
    for (let step = from; step < to; step++) {
      while (next < to && next <= step + ahead) {
        const made = make(next++);
        // A failure waits for its turn; without a handler the process would end at once.
        made.catch(() => undefined);
        underWay.push(made);
      }
      yield await (underWay.shift() as Promise<T>);
    }
  } finally {
    // The caller may close the source of the images after a stop.
    await Promise.allSettled(underWay);
  }
}
