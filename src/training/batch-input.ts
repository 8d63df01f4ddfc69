import { concatenate } from '../autodiff/ops/rows.ts';
import { type ImageInputs } from '../autodiff/ops/prepare-images.ts';
import type { Feeds } from '../autodiff/program.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import { DOMAIN_INDEX } from '../data/dataset.ts';
import type { TrainingBatch } from '../data/loader.ts';
import type { BatchStatistics } from '../nn/forward-context.ts';
import { separatesDomains, type ImageDomain, type RetrievalNetwork } from '../nn/retrieval-network.ts';
import { imageInput, type BatchShape } from '../models/image-input.ts';

/** A batch in a graph, and what the network makes of it. */
export interface EncodedBatch {
  /** [count, size, size, 4] */
  readonly images: Tensor;
  /** [count, embedding] */
  readonly encoded: Tensor;
  readonly batchStatistics: BatchStatistics;
  feeds(batch: TrainingBatch): Feeds;
}

/** How a network encodes a training batch; the same for all its programs. */
export interface BatchEncoding {
  readonly batchNorm: 'train' | 'frozen';
  readonly frozenStages: number;
}

/**
 * A batch of sketches and photos, encoded as the network's batch normalization wants it: all at once, or each domain in
 * a pass of its own with its own statistics. The batch then is half sketches, which come first, as in
 * `balancedSampler`.
 */
export function encodeBatch(network: RetrievalNetwork, shape: BatchShape, encoding: BatchEncoding): EncodedBatch {
  return separatesDomains(network.retrieval)
    ? encodeByDomain(network, shape, encoding)
    : encodeTogether(network, shape, encoding);
}

function encodeTogether(
  network: RetrievalNetwork,
  shape: BatchShape,
  { batchNorm, frozenStages }: BatchEncoding,
): EncodedBatch {
  const images = imageInput(shape);
  const { encoded, batchStatistics } = network.encode(images, batchNorm, { frozenStages });
  return {
    images,
    encoded,
    batchStatistics,
    feeds: ({ images: pixels, transforms }) => ({ images: pixels, transforms }),
  };
}

const DOMAINS: readonly ImageDomain[] = ['sketch', 'photo'];

function encodeByDomain(
  network: RetrievalNetwork,
  shape: BatchShape,
  { batchNorm, frozenStages }: BatchEncoding,
): EncodedBatch {
  const { count } = shape;
  const namesOf = (domain: ImageDomain): ImageInputs => ({
    images: `${domain} images`,
    transforms: `${domain} transforms`,
  });
  const parts = DOMAINS.map((domain) => {
    const images = imageInput({ ...shape, count: count / DOMAINS.length }, namesOf(domain));
    return { images, ...network.encode(images, batchNorm, { frozenStages, domain }) };
  });
  return {
    images: concatenate(parts.map(({ images }) => images)),
    encoded: concatenate(parts.map(({ encoded }) => encoded)),
    batchStatistics: new Map(parts.flatMap(({ batchStatistics }) => [...batchStatistics])),
    feeds: ({ images, transforms, domains }) => {
      if (
        domains.some((domain, image) => domain !== DOMAIN_INDEX[DOMAINS[Math.floor((DOMAINS.length * image) / count)]])
      ) {
        throw new RangeError(
          'batch normalization by domain needs batches of as many sketches as photos, the sketches first; use balancedSampler',
        );
      }
      const halfOf = <T extends Uint8Array | Float32Array>(values: T, part: number): T =>
        values.subarray((part * values.length) / DOMAINS.length, ((part + 1) * values.length) / DOMAINS.length) as T;
      return Object.fromEntries(
        DOMAINS.flatMap((domain, part) => [
          [namesOf(domain).images, halfOf(images, part)],
          [namesOf(domain).transforms, halfOf(transforms, part)],
        ]),
      );
    },
  };
}
