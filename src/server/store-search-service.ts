import type { RetrievalModel } from '../models/retrieval-model.ts';
import { markBelow } from '../retrieval/cut-off.ts';
import { pictureLabel } from '../retrieval/picture-filter.ts';
import { pathId, type VectorStore } from '../stores/store.ts';
import { RequestError } from './picture-body.ts';
import { QueryEmbedder } from './query-embedder.ts';
import { offsetOf, pageOf, pictureFilterOf } from './search-parameters.ts';
import type { Neighbour, SearchAnswer, SearchServiceOptions } from './search-service.ts';

/** Pictures of answers whose paths are remembered, so that their thumbnails can be requested. */
const REMEMBERED = 100_000;

/** Searches a vector store by pictures that come at any time. */
export class StoreSearchService {
  /** By row, those of the latest answers last. */
  private readonly found = new Map<number, string>();

  private constructor(
    private readonly embedder: QueryEmbedder,
    private readonly store: VectorStore,
    private readonly cutOff: number | undefined,
  ) {}

  /** Opens a service on a store of this model's pictures. The store is the caller's to close. */
  static async open(
    model: RetrievalModel,
    store: VectorStore,
    { cutOff }: SearchServiceOptions = {},
  ): Promise<StoreSearchService> {
    return new StoreSearchService(await QueryEmbedder.open(model, { kind: 'pictures' }), store, cutOff);
  }

  /**
   * The parameters and errors are those of `SearchService.search`, without `like`. The row of a neighbour is a number that depends on
   * its path alone. A folder or label that no picture has gives an empty answer.
   */
  async search(
    sketches: readonly Uint8Array[],
    k: number,
    signal?: AbortSignal,
    parameters = new URLSearchParams(),
  ): Promise<SearchAnswer> {
    const offset = offsetOf(parameters, k);
    const filter = pictureFilterOf(parameters);
    if (parameters.has('like'))
      throw new RequestError(400, 'a vector store is searched by sketches only, and like names a row of an index');
    const { ranked, times } = await this.embedder.search(
      sketches,
      [],
      (embedding) => this.store.search(embedding, offset + k + 1, filter),
      signal,
    );
    const neighbours = ranked.map(({ path, score }, place): Neighbour => ({
      rank: place + 1,
      row: rowOf(path),
      path,
      label: pictureLabel(path),
      similarity: score,
    }));
    const { nothingLike, results } = markBelow(neighbours, this.cutOff);
    const { page, more } = pageOf(results, offset, k);
    for (const { row, path } of page) this.remember(row, path);
    return { nothingLike, neighbours: page, more, times };
  }

  /** The path of a picture that was in one of the latest answers. */
  pathOf(row: number): string | undefined {
    return this.found.get(row);
  }

  /** Finishes what was requested; the model and the store stay. */
  async close(): Promise<void> {
    await this.embedder.close();
  }

  private remember(row: number, path: string): void {
    this.found.delete(row);
    this.found.set(row, path);
    if (this.found.size > REMEMBERED) this.found.delete(this.found.keys().next().value as number);
  }
}

/** 48 bits of the path's digest, which a number of JavaScript holds exactly. */
const rowOf = (path: string): number => parseInt(pathId(path).replaceAll('-', '').slice(0, 12), 16);
