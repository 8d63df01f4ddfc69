import type { Plan } from '../autodiff/plan.ts';
import type { DeviceStorage } from '../autodiff/device-storage.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import type { ImageSource, Sample } from '../data/dataset.ts';
import { mirroredTransforms } from '../data/augmentation.ts';
import { inOrder } from '../data/loader.ts';
import { separatesDomains, type ImageDomain, type RetrievalOutputs } from '../nn/retrieval-network.ts';
import { Embedder } from '../retrieval/embedder.ts';
import { imageInput } from './image-input.ts';
import type { NetworkInput, RetrievalModel } from './retrieval-model.ts';

/** Images that a network sees at once where nothing is learned. */
export const EMBEDDING_BATCH = 32;

/** Computes something of each image of a list. */
export interface ImageRows {
  /** Values for each image. */
  readonly width: number;
  /** @returns [samples, width] */
  compute(samples: readonly Sample[], images: ImageSource, onProgress?: (done: number) => void): Promise<Float32Array>;
  /** Frees the programs and their buffers. */
  destroy(): void;
}

/**
 * @param rows from images [batch, size, size, 4] to what is wanted of them, [batch, width]
 * @param input how the network is fed; with its `views` mirrored, rows must be of length 1
 * @param onCompiled hears of each compiled pipeline
 */
export async function imageRows(
  storage: DeviceStorage,
  input: NetworkInput,
  rows: (images: Tensor) => Tensor,
  batchSize = EMBEDDING_BATCH,
  onCompiled?: (done: number, total: number) => void,
): Promise<ImageRows> {
  const { imageSize, views } = input;
  const sizes = { sourceSize: imageSize, outputSize: imageSize };
  const mirrored = views === 'mirrored' ? mirroredTransforms(batchSize, sizes) : undefined;
  const embedder = await Embedder.create(storage, rows(imagesOf(input, batchSize)), onCompiled);
  return {
    width: embedder.width,
    compute: (samples, images, onProgress) =>
      embedder.embed(
        inOrder(samples, batchSize, { images, ...sizes }),
        samples.length,
        onProgress,
        mirrored,
      ),
    destroy: () => embedder.destroy(),
  };
}

/**
 * The model's embeddings, of length 1, by which sketches and photos are compared: of each image, or with the model's
 * `views` mirrored the mean of an image's and its mirror image's. They follow its weights as these change. @param onCompiled hears of each compiled pipeline
 */
export function modelEmbeddings(
  model: RetrievalModel,
  batchSize = EMBEDDING_BATCH,
  onCompiled?: (done: number, total: number) => void,
): Promise<ImageRows> {
  return rowsOfDomains(model, ({ embeddings }) => embeddings, batchSize, onCompiled);
}

/**
 * What a model makes of images as they are, each as an image of its sample's domain.
 * @param rows the part of the network's outputs that is wanted, [batch, width]
 */
export function modelRows(
  model: RetrievalModel,
  rows: (outputs: RetrievalOutputs) => Tensor,
  batchSize = EMBEDDING_BATCH,
): Promise<ImageRows> {
  return rowsOfDomains({ ...model, views: 'single' }, rows, batchSize);
}

async function rowsOfDomains(
  { network, storage, ...input }: RetrievalModel,
  rows: (outputs: RetrievalOutputs) => Tensor,
  batchSize = EMBEDDING_BATCH,
  onCompiled?: (done: number, total: number) => void,
): Promise<ImageRows> {
  const ofDomain = (domain?: ImageDomain): Promise<ImageRows> =>
    imageRows(storage, input, (images) => rows(network.apply(images, 'eval', domain)), batchSize, onCompiled);
  if (!separatesDomains(network.retrieval)) return ofDomain();
  const sketch = await ofDomain('sketch');
  return rowsByDomain({ sketch, photo: await ofDomain('photo') });
}

/** Computes the rows of each sample by what is made for its domain. */
function rowsByDomain(parts: Readonly<Record<ImageDomain, ImageRows>>): ImageRows {
  const { width } = parts.sketch;
  return {
    width,
    async compute(samples, images, onProgress) {
      const result = new Float32Array(samples.length * width);
      let before = 0;
      for (const domain of ['sketch', 'photo'] as const) {
        const places = [...samples.keys()].filter((place) => samples[place].domain === domain);
        const found = await parts[domain].compute(
          places.map((place) => samples[place]),
          images,
          (done) => onProgress?.(before + done),
        );
        places.forEach((place, row) => result.set(found.subarray(row * width, (row + 1) * width), place * width));
        before += places.length;
      }
      return result;
    },
    destroy() {
      parts.sketch.destroy();
      parts.photo.destroy();
    },
  };
}

/** The plans of `modelEmbeddings`, for counting its memory. */
export async function planEmbeddings(
  { network, storage, ...input }: RetrievalModel,
  batchSize: number,
): Promise<readonly Plan[]> {
  const plan = (domain?: ImageDomain): Promise<Plan> =>
    Embedder.plan(storage, network.apply(imagesOf(input, batchSize), 'eval', domain).embeddings);
  return separatesDomains(network.retrieval) ? [await plan('sketch'), await plan('photo')] : [await plan()];
}

const imagesOf = ({ imageSize, pixels, precision }: NetworkInput, count: number): Tensor =>
  imageInput({ count, sourceSize: imageSize, size: imageSize, pixels, precision });

