import { availableParallelism } from 'node:os';
import type { Sample } from '../data/dataset.ts';
import type { SketchFraming } from '../data/sketch-framing.ts';
import { ImageError } from '../platform/node/images.ts';
import { meanEmbedding } from '../retrieval/mean-embedding.ts';
import { modelEmbeddings, type ImageRows } from '../models/image-rows.ts';
import type { RetrievalModel } from '../models/retrieval-model.ts';
import { BatchQueue } from './batch-queue.ts';
import type { DecodeInput, GalleryData, PictureOutput, RankInput, RankOutput } from './search-thread.ts';
import { WorkerThreads } from '../platform/node/worker-threads.ts';
import { threadModule } from '../platform/node/thread-module.ts';

/** Queries that are embedded at once where so many wait. */
const BATCH = 8;
/** Each holds a decoder and, while it decodes, a picture at its full size. */
const MOST_THREADS = 4;

/** Milliseconds of each stage of a search; of several sketches, until the last of them was through it. */
export interface SearchTimes {
  readonly decode: number;
  readonly wait: number;
  readonly embed: number;
  readonly rank: number;
}

/** A picture of the gallery that was embedded. */
export interface EmbeddedPicture {
  /** [dimension], of length 1. */
  readonly embedding: Float32Array;
  /** SHA-256 of its file's bytes, 64 digits. */
  readonly digest: string;
}

/** What waits for the device. */
interface Decoded {
  readonly pixels: Uint8Array;
  readonly domain: Sample['domain'];
}

interface Embedded {
  readonly embedding: Float32Array;
  readonly started: number;
  readonly ended: number;
}

/**
 * Embeds pictures that come at any time: the device embeds those that wait in batches, one after the other. Pictures
 * are decoded and icons ranked in threads, so that the event loop stays free.
 */
export class QueryEmbedder {
  private readonly queue: BatchQueue<Decoded, Embedded>;
  private readonly threads: WorkerThreads;
  private readonly sketches: SketchFraming | undefined;

  private constructor(
    private readonly model: RetrievalModel,
    private readonly one: ImageRows,
    private readonly many: ImageRows,
    gallery: GalleryData,
  ) {
    this.queue = new BatchQueue((decoded) => this.embed(decoded), BATCH);
    this.sketches = gallery.kind === 'icons' ? 'icon' : model.sketches;
    this.threads = new WorkerThreads(
      threadModule(import.meta.url, 'search-thread'),
      gallery,
      Math.min(MOST_THREADS, availableParallelism()),
    );
  }

  /** @param gallery icons that the threads rank, their arrays in shared memory, one copy for all threads */
  static async open(model: RetrievalModel, gallery: GalleryData): Promise<QueryEmbedder> {
    return new QueryEmbedder(model, await modelEmbeddings(model, 1), await modelEmbeddings(model, BATCH), gallery);
  }

  /**
   * Decodes the sketches of a query, embeds them and ranks the gallery by their mean (`meanEmbedding`).
   * @param sketches the bytes of an image file each
   * @param like embeddings that count like those of the sketches; at least one of the two is needed
   * @param rank the gallery by an embedding
   * @throws ImageError where a sketch cannot be decoded
   */
  async search<Output>(
    sketches: readonly Uint8Array[],
    like: readonly Float32Array[],
    rank: (embedding: Float32Array) => Promise<Output>,
    signal?: AbortSignal,
  ): Promise<{ readonly ranked: Output; readonly times: SearchTimes }> {
    const start = performance.now();
    const pixels = await Promise.all(sketches.map((sketch) => this.decode(sketch, signal)));
    const decoded = performance.now();
    const embedded = await Promise.all(
      pixels.map((each) => this.queue.add({ pixels: each, domain: 'sketch' }, signal)),
    );
    const begin = performance.now();
    const embeddings = [...embedded.map(({ embedding }) => embedding), ...like];
    const rows = new Float32Array(embeddings.length * this.one.width);
    embeddings.forEach((embedding, place) => rows.set(embedding, place * this.one.width));
    const ranked = await rank(meanEmbedding(rows, this.one.width));
    // Without sketches nothing was embedded.
    const started = embedded.length === 0 ? decoded : Math.min(...embedded.map((each) => each.started));
    const ended = embedded.length === 0 ? decoded : Math.max(...embedded.map((each) => each.ended));
    return {
      ranked,
      times: {
        decode: decoded - start,
        wait: started - decoded,
        embed: ended - started,
        rank: performance.now() - begin,
      },
    };
  }

  /** Pictures of the gallery, few at a time: its own embeddings, or why a picture cannot be decoded. */
  embedPictures(pictures: readonly Uint8Array[]): Promise<(EmbeddedPicture | ImageError)[]> {
    return Promise.all(
      pictures.map(async (picture) => {
        try {
          const { pixels, digest } = await this.inThread<PictureOutput>('decodePicture', {
            picture,
            size: this.model.imageSize,
          } satisfies DecodeInput);
          const { embedding } = await this.queue.add({ pixels, domain: 'photo' });
          return { embedding, digest };
        } catch (error) {
          if (error instanceof ImageError) return error;
          throw error;
        }
      }),
    );
  }

  /** Ranks icons in a thread. */
  rankIcons(input: RankInput, signal?: AbortSignal): Promise<RankOutput> {
    return this.threads.run<RankOutput>('rank', input, { signal });
  }

  /** Finishes what was requested and gives the programs back; the model stays. */
  async close(): Promise<void> {
    await this.queue.idle();
    await this.threads.close();
    this.one.destroy();
    this.many.destroy();
  }

  private decode(picture: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    return this.inThread<Uint8Array>(
      'decode',
      { picture, size: this.model.imageSize, sketches: this.sketches } satisfies DecodeInput,
      signal,
    );
  }

  private async inThread<Output>(task: string, input: DecodeInput, signal?: AbortSignal): Promise<Output> {
    try {
      return await this.threads.run<Output>(task, input, { signal });
    } catch (error) {
      // Classes do not pass between threads.
      if (error instanceof Error && error.name === 'ImageError')
        throw new ImageError('the picture', error.message.replace('the picture cannot be decoded: ', ''));
      throw error;
    }
  }

  private async embed(decoded: readonly Decoded[]): Promise<Embedded[]> {
    const started = performance.now();
    const rows = decoded.length === 1 ? this.one : this.many;
    const samples = decoded.map(({ domain }, place): Sample => ({ domain, className: '', name: String(place) }));
    const embeddings = await rows.compute(samples, {
      read: ({ name }) => Promise.resolve(decoded[Number(name)].pixels),
    });
    const ended = performance.now();
    return decoded.map((_, place) => ({
      embedding: embeddings.slice(place * rows.width, (place + 1) * rows.width),
      started,
      ended,
    }));
  }
}
