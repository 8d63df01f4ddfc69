import { openExactSearch } from '../platform/node/exact-search.ts';
import type { DividedSearch } from '../retrieval/exact/divided-search.ts';
import type { RankedItem, RowMask } from '../retrieval/ranking.ts';
import { markBelow } from '../retrieval/cut-off.ts';
import { pictureLabel, pictureMask } from '../retrieval/picture-filter.ts';
import type { RetrievalIndex } from '../retrieval/index-file.ts';
import type { RetrievalModel } from '../models/retrieval-model.ts';
import { BatchQueue } from './batch-queue.ts';
import { likeOf, offsetOf, pageOf, pictureFilterOf, refusing, withoutRows } from './search-parameters.ts';
import { QueryEmbedder, type SearchTimes } from './query-embedder.ts';

/** Queries that share a pass over the gallery where so many wait. */
const RANK_BATCH = 32;
/** Filters whose rows are remembered: pages of one search, and searches of one client, have the same filter. */
const REMEMBERED_FILTERS = 8;

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
}

/** Searches an index of pictures by pictures that come at any time. */
export class SearchService {
  private readonly queue: BatchQueue<RankedQuery, RankedItem[]>;
  /** By the filters' JSON, the latest last. */
  private readonly masks = new Map<string, RowMask | undefined>();

  private constructor(
    private readonly embedder: QueryEmbedder,
    private readonly ranking: DividedSearch,
    readonly index: RetrievalIndex,
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
    { cutOff }: SearchServiceOptions = {},
  ): Promise<SearchService> {
    const ranking = await openExactSearch(index.embeddings, index.dimension);
    return new SearchService(await QueryEmbedder.open(model, { kind: 'pictures' }), ranking, index, cutOff);
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
    const { paths } = this.index;
    const offset = offsetOf(parameters, k);
    const pictures = sketches instanceof Uint8Array ? [sketches] : sketches;
    const like = likeOf(parameters, pictures.length, paths.length);
    const mask = this.maskOf(parameters);
    const { ranked, times } = await this.embedder.search(
      pictures,
      like.map((row) => this.embeddingOf(row)),
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

  /** Finishes what was requested and gives the programs back; the model stays. */
  async close(): Promise<void> {
    await this.embedder.close();
    await this.queue.idle();
    await this.ranking.close();
  }

  private embeddingOf(row: number): Float32Array {
    const { embeddings, dimension } = this.index;
    return embeddings.subarray(row * dimension, (row + 1) * dimension);
  }

  private maskOf(parameters: URLSearchParams): RowMask | undefined {
    const filter = pictureFilterOf(parameters);
    const key = JSON.stringify(filter);
    const mask = this.masks.has(key) ? this.masks.get(key) : refusing(() => pictureMask(this.index, filter));
    this.masks.delete(key);
    this.masks.set(key, mask);
    if (this.masks.size > REMEMBERED_FILTERS) this.masks.delete(this.masks.keys().next().value as string);
    return mask;
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
    const { dimension } = this.index;
    const embeddings = new Float32Array(queries.length * dimension);
    queries.forEach(({ embedding }, place) => embeddings.set(embedding, place * dimension));
    const ranked = await this.ranking.searchAll(embeddings, Math.max(...queries.map(({ k }) => k)), mask);
    return ranked.map((items, place) => items.slice(0, queries[place].k));
  }
}
