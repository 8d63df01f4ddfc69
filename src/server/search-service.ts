import path from 'node:path';
import { markBelow } from '../retrieval/cut-off.ts';
import type { RetrievalIndex } from '../retrieval/index-file.ts';
import type { RetrievalModel } from '../models/retrieval-model.ts';
import { QueryEmbedder, shared, type SearchTimes } from './query-embedder.ts';
import type { RankInput, RankOutput } from './search-thread.ts';

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
  private constructor(
    private readonly embedder: QueryEmbedder,
    readonly index: RetrievalIndex,
    private readonly cutOff: number | undefined,
  ) {}

  /**
   * Opens a service on an index.
   * @param index that was made by this model (`assertSameModel`)
   */
  static async open(
    model: RetrievalModel,
    index: RetrievalIndex,
    { cutOff }: SearchServiceOptions = {},
  ): Promise<SearchService> {
    return new SearchService(
      await QueryEmbedder.open(model, {
        kind: 'pictures',
        embeddings: shared(index.embeddings),
        dimension: index.dimension,
      }),
      index,
      cutOff,
    );
  }

  /**
   * @param sketches the bytes of an image file, or of each of several sketches of the same thing, which search together
   * (`meanEmbedding`)
   * @param k how many neighbours, fewer where the index has fewer
   * @param signal of one who goes away
   * @throws ImageError where a sketch cannot be decoded
   */
  async search(sketches: Uint8Array | readonly Uint8Array[], k: number, signal?: AbortSignal): Promise<SearchAnswer> {
    const { paths } = this.index;
    const { ranked, times } = await this.embedder.search<RankOutput>(
      sketches instanceof Uint8Array ? [sketches] : sketches,
      'rank',
      (embedding) => ({ embedding, k }) satisfies RankInput,
      signal,
    );
    const neighbours = ranked.map(({ index: row, score }, place): Neighbour => ({
      rank: place + 1,
      row,
      path: paths[row],
      label: path.basename(path.dirname(paths[row])),
      similarity: score,
    }));
    const { nothingLike, results } = markBelow(neighbours, this.cutOff);
    return { nothingLike, neighbours: results, times };
  }

  /** Finishes what was requested and gives the programs back; the model stays. */
  close(): Promise<void> {
    return this.embedder.close();
  }
}
