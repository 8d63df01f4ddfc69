// A thread of a QueryEmbedder. It decodes pictures and ranks icons; either can take seconds.
import { createHash } from 'node:crypto';
import { workerData } from 'node:worker_threads';
import { decodeImage, decodeSketch } from '../platform/node/images.ts';
import type { SketchFraming } from '../data/sketch-framing.ts';
import { IconRanking, type IconFilter, type RankedIcons } from '../retrieval/icon-ranking.ts';
import type { RankedItem } from '../retrieval/ranking.ts';
import { serveTasks } from '../platform/node/serve-tasks.ts';

/** What is searched: pictures, which other threads rank (`openExactSearch`), or icons, their arrays in shared memory. */
export type GalleryData = { readonly kind: 'pictures' } | ({ readonly kind: 'icons' } & RankedIcons);

export interface DecodeInput {
  /** The bytes of an image file. */
  readonly picture: Uint8Array;
  /** Side of the result in pixels. */
  readonly size: number;
  readonly sketches?: SketchFraming;
}

/** Of a picture of the gallery. */
export interface PictureOutput {
  readonly pixels: Uint8Array;
  /** SHA-256 of its file's bytes. */
  readonly digest: string;
}

export interface RankInput {
  /** [dimension]. */
  readonly embedding: Float32Array;
  readonly k: number;
  readonly filter?: IconFilter;
}

export type RankOutput = readonly RankedItem[];

const gallery = workerData as GalleryData;
const ranking = gallery.kind === 'icons' ? new IconRanking(gallery) : undefined;

serveTasks({
  async decode({ picture, size, sketches }: DecodeInput) {
    const pixels = await decodeSketch(picture, size, sketches, 'the picture');
    return { output: pixels, transfer: [pixels.buffer as ArrayBuffer] };
  },
  async decodePicture({ picture, size }: DecodeInput) {
    const pixels = await decodeImage(picture, size, 'the picture');
    const digest = createHash('sha256').update(picture).digest('hex');
    return { output: { pixels, digest } satisfies PictureOutput, transfer: [pixels.buffer as ArrayBuffer] };
  },
  rank({ embedding, k, filter }: RankInput) {
    if (ranking === undefined) throw new Error('this thread has no icons to rank');
    return { output: ranking.rank(embedding, k, filter) satisfies RankOutput, transfer: [] };
  },
});
