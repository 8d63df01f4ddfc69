import { openExactSearch } from '../platform/node/exact-search.ts';
import type { ImageError } from '../platform/node/images.ts';
import { storeVectors, type VectorStorage } from '../retrieval/exact/stored-vectors.ts';
import { sharedCopy } from '../platform/node/shared-memory.ts';
import type { DividedSearch } from '../retrieval/exact/divided-search.ts';
import type { RankedItem, RowMask } from '../retrieval/ranking.ts';
import { markBelow } from '../retrieval/cut-off.ts';
import { pictureLabel } from '../retrieval/picture-filter.ts';
import type { RetrievalIndex } from '../retrieval/index-file.ts';
import type { RetrievalModel } from '../models/retrieval-model.ts';
import { BatchQueue } from './batch-queue.ts';
import { likeOf, offsetOf, pageOf, pictureFilterOf, refusing, withoutRows } from './search-parameters.ts';
import { PictureRows, type AddedPicture } from './picture-rows.ts';
import { QueryEmbedder, type EmbeddedPicture, type SearchTimes } from './query-embedder.ts';

/** Queries that share a pass over the gallery where so many wait. */
const RANK_BATCH = 32;

interface RankedQuery {
  readonly embedding: Float32Array;
  readonly k: number;
  readonly mask: RowMask | undefined;
}

/** A picture that was found. */
export interface Neighbour {
  readonly rank: number;
  /** Its row in the index. */
  readonly row: number;
  readonly path: string;
  /** The folder that it lies in. */
  readonly label: string;
  /** The cosine of the two embeddings, from -1 to 1. */
  readonly similarity: number;
  /** Whether it is below the similarity from which an answer means something. */
  readonly belowCutOff?: boolean;
}

/** The answer to a search among pictures. */
export interface SearchAnswer {
  /** Whether there is nothing like the query: even the best neighbour is below the cut-off. */
  readonly nothingLike: boolean;
  readonly neighbours: readonly Neighbour[];
  /** Whether there are others behind them, at a larger offset. */
  readonly more: boolean;
  /** Milliseconds of each stage. */
  readonly times: SearchTimes;
}

/** Settings of a search service. */
export interface SearchServiceOptions {
  /** The similarity below which an answer means nothing (`similarityCutOff`); left out, all answers count. */
  readonly cutOff?: number;
  /** Rows of the index that are not searched. */
  readonly removed?: Iterable<number>;
  /** How vectors are held in memory, beside the one-byte copies that are searched first. Default f32. */
  readonly vectors?: VectorStorage;
}

/** Searches an index of pictures, which can change, by pictures that come at any time. */
export class SearchService {
  private readonly queue: BatchQueue<RankedQuery, RankedItem[]>;

  private constructor(
    private readonly embedder: QueryEmbedder,
    private readonly ranking: DividedSearch,
    /** The pictures that are searched. */
    readonly rows: PictureRows,
    private readonly cutOff: number | undefined,
  ) {
    this.queue = new BatchQueue((queries) => this.rank(queries), RANK_BATCH);
  }

  /**
   * Opens a service on an index.
   * @param index that was made by this model (`assertSameModel`)
   */
  static async open(
    model: RetrievalModel,
    index: RetrievalIndex,
    { cutOff, removed, vectors = 'f32' }: SearchServiceOptions = {},
  ): Promise<SearchService> {
    const { embeddings, dimension } = index;
    const stored = storeVectors(embeddings, dimension, vectors);
    // The threads share what they read in each search with the service.
    const shared = stored instanceof Int8Array ? stored : sharedCopy(stored);
    const ranking =
      shared instanceof Int8Array
        ? await openExactSearch(embeddings, dimension, { rescore: false })
        : await openExactSearch(shared, dimension);
    const rows = new PictureRows(index, shared, removed);
    return new SearchService(await QueryEmbedder.open(model, { kind: 'pictures' }), ranking, rows, cutOff);
  }

  /**
   * @param sketches the bytes of an image file, or of each of several sketches of the same thing, which search together
   * (`meanEmbedding`)
   * @param k how many neighbours, fewer where the index has fewer
   * @param signal of one who goes away
   * @param parameters of the request: `offset`, `like` (rows that search together with the sketches, and are not found),
   * and the filters `folder`, `label`, `after`, `before`, `min-size`,
   * `max-size`
   * @throws RequestError 400 for a parameter that is wrong; ImageError where a sketch cannot be decoded
   */
  async search(
    sketches: Uint8Array | readonly Uint8Array[],
    k: number,
    signal?: AbortSignal,
    parameters = new URLSearchParams(),
  ): Promise<SearchAnswer> {
    const { paths } = this.rows;
    const offset = offsetOf(parameters, k);
    const pictures = sketches instanceof Uint8Array ? [sketches] : sketches;
    const like = likeOf(parameters, pictures.length, this.rows);
    const mask = refusing(() => this.rows.mask(pictureFilterOf(parameters)));
    const { ranked, times } = await this.embedder.search(
      pictures,
      like.map((row) => this.rows.embedding(row)),
      (embedding) => this.queue.add({ embedding, k: offset + k + 1 + like.length, mask }, signal),
      signal,
    );
    const neighbours = withoutRows(ranked, like).map(({ index: row, score }, place): Neighbour => ({
      rank: place + 1,
      row,
      path: paths[row],
      label: pictureLabel(paths[row]),
      similarity: score,
    }));
    const { nothingLike, results } = markBelow(neighbours, this.cutOff);
    const { page, more } = pageOf(results, offset, k);
    return { nothingLike, neighbours: page, more, times };
  }

  /**
   * Decodes and embeds pictures, not as sketches, in the batches in which queries are embedded: a query waits for one
   * batch at most.
   * @param pictures the bytes of an image file each, few at a time
   * @returns for each its embedding and the SHA-256 of its bytes, or why it cannot be decoded
   */
  embedPictures(pictures: readonly Uint8Array[]): Promise<(EmbeddedPicture | ImageError)[]> {
    return this.embedder.embedPictures(pictures);
  }

  /**
   * Searches other pictures from now on. Searches in progress find the old ones. The pictures that stay keep their rows.
   * @param added pictures, which get rows at the end
   * @param removed rows of pictures that are not to be found any more
   * @returns the first of the new rows
   */
  async change(added: readonly AddedPicture[], removed: readonly number[]): Promise<number> {
    const { dimension } = this.rows;
    const embeddings = new Float32Array(added.length * dimension);
    added.forEach(({ embedding }, place) => embeddings.set(embedding, place * dimension));
    // Together, so that no search finds both the old and the new row of a picture. The threads take their tasks in order.
    this.rows.remove(removed);
    const first = this.rows.add(added);
    await this.ranking.add(embeddings);
    return first;
  }

  /** Finishes what was requested and gives the programs back; the model stays. */
  async close(): Promise<void> {
    await this.embedder.close();
    await this.queue.idle();
    await this.ranking.close();
  }

  /** Several queries, those with the same filter in one pass over the gallery, each with the answer that it gets alone. */
  private async rank(queries: readonly RankedQuery[]): Promise<RankedItem[][]> {
    const answers: RankedItem[][] = [];
    for (const mask of new Set(queries.map((query) => query.mask))) {
      const places = [...queries.keys()].filter((place) => queries[place].mask === mask);
      const ranked = await this.rankMasked(
        places.map((place) => queries[place]),
        mask,
      );
      places.forEach((place, index) => (answers[place] = ranked[index]));
    }
    return answers;
  }

  private async rankMasked(queries: readonly RankedQuery[], mask: RowMask | undefined): Promise<RankedItem[][]> {
    const { dimension } = this.rows;
    const embeddings = new Float32Array(queries.length * dimension);
    queries.forEach(({ embedding }, place) => embeddings.set(embedding, place * dimension));
    const ranked = await this.ranking.searchAll(
      embeddings,
      Math.max(...queries.map(({ k }) => k)),
      mask && this.padded(mask),
    );
    return ranked.map((items, place) => items.slice(0, queries[place].k));
  }
  /** A mask for all rows: those that were added after the search began are not found. */
  private padded(mask: RowMask): RowMask {
    const { count } = this.ranking;
    if (mask.length === count) return mask;
    const all = new Uint8Array(count);
    all.set(mask);
    return all;
  }
}
