import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { Sample } from '../data/dataset.ts';
import { ImageError } from '../platform/node/images.ts';
import type { RetrievalIndex } from '../retrieval/index-file.ts';
import { modelEmbeddings, type ImageRows, type RetrievalModel } from '../training/model.ts';
import { BatchQueue } from './batch-queue.ts';
import type { DecodeInput, GalleryData, RankInput, RankOutput } from './search-thread.ts';
import { WorkerThreads } from './worker-threads.ts';

/** Queries that are embedded at once where so many wait. */
const BATCH = 8;

export interface Neighbour {
  readonly rank: number;
  /** Its row in the index. */
  readonly row: number;
  readonly path: string;
  /** The folder that it lies in. */
  readonly label: string;
  /** The cosine of the two embeddings, from -1 to 1. */
  readonly similarity: number;
}

export interface SearchAnswer {
  readonly neighbours: readonly Neighbour[];
  /** Milliseconds of each stage. */
  readonly times: { readonly decode: number; readonly wait: number; readonly embed: number; readonly rank: number };
}

interface Embedded {
  readonly embedding: Float32Array;
  readonly started: number;
  readonly ended: number;
}

/** Each holds a decoder and, while it decodes, a picture at its full size. */
const MOST_THREADS = 4;
const THREAD_MODULE = new URL(import.meta.url.endsWith('.ts') ? './search-thread.ts' : './search-thread.js', import.meta.url);

/**
 * Searches an index by pictures that come at any time: the device embeds those that wait in batches, one after the other. Pictures are decoded and the
 * gallery is ranked in threads, so that whoever else uses the event loop is not kept waiting.
 */
export class SearchService {
  private readonly queue: BatchQueue<Uint8Array, Embedded>;
  private readonly threads: WorkerThreads;

  private constructor(private readonly model: RetrievalModel, readonly index: RetrievalIndex, private readonly one: ImageRows, private readonly many: ImageRows) {
    this.queue = new BatchQueue((pixels) => this.embed(pixels), BATCH);
    // One copy of the gallery for all threads.
    const embeddings = new Float32Array(new SharedArrayBuffer(index.embeddings.byteLength));
    embeddings.set(index.embeddings);
    this.threads = new WorkerThreads(THREAD_MODULE, { embeddings, dimension: index.dimension } satisfies GalleryData, Math.min(MOST_THREADS, availableParallelism()));
  }

  /** @param index that was made by this model (`assertSameModel`) */
  static async open(model: RetrievalModel, index: RetrievalIndex): Promise<SearchService> {
    return new SearchService(model, index, await modelEmbeddings(model, 1), await modelEmbeddings(model, BATCH));
  }

  /**
   * @param picture the bytes of an image file
   * @param k how many neighbours, fewer where the index has fewer
   * @param signal of one who goes away
   * @throws ImageError where the picture cannot be decoded
   */
  async search(picture: Uint8Array, k: number, signal?: AbortSignal): Promise<SearchAnswer> {
    const { paths } = this.index;
    const start = performance.now();
    const pixels = await this.decode(picture, signal);
    const decoded = performance.now();
    const { embedding, started, ended } = await this.queue.add(pixels, signal);
    const begin = performance.now();
    const ranked = await this.threads.run<RankOutput>('rank', { embedding, k } satisfies RankInput, { signal });
    const neighbours = ranked.map(({ index: row, score }, place): Neighbour => ({ rank: place + 1, row, path: paths[row], label: path.basename(path.dirname(paths[row])), similarity: score }));
    return { neighbours, times: { decode: decoded - start, wait: started - decoded, embed: ended - started, rank: performance.now() - begin } };
  }

  /** Finishes what was asked for and gives the programs back; the model stays. */
  async close(): Promise<void> {
    await this.queue.idle();
    await this.threads.close();
    this.one.destroy();
    this.many.destroy();
  }

  private async decode(picture: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    try {
      return await this.threads.run<Uint8Array>('decode', { picture, size: this.model.imageSize } satisfies DecodeInput, { signal });
    } catch (error) {
      // Classes do not pass between threads.
      if (error instanceof Error && error.name === 'ImageError') throw new ImageError('the picture', error.message.replace('the picture cannot be decoded: ', ''));
      throw error;
    }
  }

  private async embed(pixels: readonly Uint8Array[]): Promise<Embedded[]> {
    const started = performance.now();
    const rows = pixels.length === 1 ? this.one : this.many;
    const samples = pixels.map((_, place): Sample => ({ domain: 'sketch', className: '', name: String(place) }));
    const embeddings = await rows.compute(samples, { read: ({ name }) => Promise.resolve(pixels[Number(name)]) });
    const ended = performance.now();
    return pixels.map((_, place) => ({ embedding: embeddings.slice(place * rows.width, (place + 1) * rows.width), started, ended }));
  }
}
