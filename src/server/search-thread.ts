// A thread of a SearchService. It decodes pictures and ranks the gallery; either can take seconds.
import { workerData } from 'node:worker_threads';
import { decodeImage } from '../platform/node/images.ts';
import { rankGallery } from '../retrieval/evaluate.ts';
import type { RankedItem } from '../retrieval/ranking.ts';
import { serveTasks } from './serve-tasks.ts';

/** The gallery that all threads read. */
export interface GalleryData {
  /** [n, dimension] in shared memory. */
  readonly embeddings: Float32Array;
  readonly dimension: number;
}

export interface DecodeInput {
  /** The bytes of an image file. */
  readonly picture: Uint8Array;
  /** Side of the result in pixels. */
  readonly size: number;
}

export interface RankInput {
  /** [dimension]. */
  readonly embedding: Float32Array;
  readonly k: number;
}

export type RankOutput = readonly RankedItem[];

const gallery = workerData as GalleryData;

serveTasks({
  async decode({ picture, size }: DecodeInput) {
    const pixels = await decodeImage(picture, size, 'the picture');
    return { output: pixels, transfer: [pixels.buffer as ArrayBuffer] };
  },
  rank({ embedding, k }: RankInput) {
    return { output: rankGallery(embedding, gallery.embeddings, gallery.dimension, k) satisfies RankOutput, transfer: [] };
  },
});
