// A thread of a QueryEmbedder. It decodes pictures and ranks the gallery; either can take seconds.
import { workerData } from 'node:worker_threads';
import { decodeSketch } from '../platform/node/images.ts';
import type { SketchFraming } from '../data/sketch-framing.ts';
import { ExactSearch } from '../retrieval/exact/exact-search.ts';
import { IconRanking, type IconFilter, type RankedIcons } from '../retrieval/icon-ranking.ts';
import type { RankedItem } from '../retrieval/ranking.ts';
import { serveTasks } from '../platform/node/serve-tasks.ts';

/** The gallery that all threads read, its arrays in shared memory. */
export type GalleryData =
  | { readonly kind: 'pictures'; /** [n, dimension]. */ readonly embeddings: Float32Array; readonly dimension: number }
  | ({ readonly kind: 'icons' } & RankedIcons);

export interface DecodeInput {
  /** The bytes of an image file. */
  readonly picture: Uint8Array;
  /** Side of the result in pixels. */
  readonly size: number;
  readonly sketches?: SketchFraming;
}

export interface RankInput {
  /** [dimension]. */
  readonly embedding: Float32Array;
  readonly k: number;
  /** Of icons. */
  readonly filter?: IconFilter;
}

export type RankOutput = readonly RankedItem[];

const gallery = workerData as GalleryData;
const rank = ranker(gallery);

function ranker(from: GalleryData): (input: RankInput) => RankOutput {
  if (from.kind === 'pictures') {
    const search = new ExactSearch(from.embeddings, from.dimension);
    return ({ embedding, k }) => search.search(embedding, k);
  }
  const ranking = new IconRanking(from);
  return ({ embedding, k, filter }) => ranking.rank(embedding, k, filter);
}

serveTasks({
  async decode({ picture, size, sketches }: DecodeInput) {
    const pixels = await decodeSketch(picture, size, sketches, 'the picture');
    return { output: pixels, transfer: [pixels.buffer as ArrayBuffer] };
  },
  rank: (input: RankInput) => ({ output: rank(input), transfer: [] }),
});
