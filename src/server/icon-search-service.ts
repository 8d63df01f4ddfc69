import { markBelow } from '../retrieval/cut-off.ts';
import { iconEmbedding, iconId, setOfRow, type IconIndex, type IconLicence } from '../retrieval/icon-index.ts';
import { checkFilter, type IconFilter } from '../retrieval/icon-ranking.ts';
import { ICON_STYLES, type IconStyle } from '../retrieval/icon-style.ts';
import type { RetrievalModel } from '../models/retrieval-model.ts';
import { likeOf, offsetOf, pageOf, refusing, withoutRows } from './search-parameters.ts';
import { sharedCopy } from '../platform/node/shared-memory.ts';
import { QueryEmbedder, type SearchTimes } from './query-embedder.ts';
import type { SearchServiceOptions } from './search-service.ts';
import type { RankOutput } from './search-thread.ts';

/** An icon that was found. */
export interface FoundIcon {
  readonly rank: number;
  /** Its row in the index. */
  readonly row: number;
  /** `<set>:<name>`. */
  readonly icon: string;
  /** The prefix of its set. */
  readonly set: string;
  readonly licence: IconLicence;
  readonly style: IconStyle;
  /** The cosine of the two embeddings, from -1 to 1. */
  readonly similarity: number;
  /** Whether it is below the similarity from which an answer means something. */
  readonly belowCutOff?: boolean;
}

/** The answer to a search among icons. */
export interface IconSearchAnswer {
  /** Whether there is nothing like the query: even the best icon is below the cut-off. */
  readonly nothingLike: boolean;
  /** Best first. */
  readonly neighbours: readonly FoundIcon[];
  /** Whether there are others behind them, at a larger offset. */
  readonly more: boolean;
  /** Milliseconds of each stage. */
  readonly times: SearchTimes;
}

/** Searches an index of icons by pictures that come at any time. */
export class IconSearchService {
  private constructor(
    private readonly embedder: QueryEmbedder,
    readonly index: IconIndex,
    private readonly cutOff: number | undefined,
  ) {}

  /**
   * Opens a service on an index of icons.
   * @param index that was made by this model (`assertSameModel`)
   */
  static async open(
    model: RetrievalModel,
    index: IconIndex,
    { cutOff }: SearchServiceOptions = {},
  ): Promise<IconSearchService> {
    const { sets, styles, vectors, dimension } = index;
    return new IconSearchService(
      await QueryEmbedder.open(model, {
        kind: 'icons',
        sets,
        styles: sharedCopy(styles),
        vectors: sharedCopy(vectors),
        dimension,
      }),
      index,
      cutOff,
    );
  }

  /**
   * @param sketches the bytes of an image file, or of each of several sketches of the same thing, which search together
   * (`meanEmbedding`)
   * @param k how many icons, fewer where fewer are searched
   * @param signal of one who goes away
   * @param parameters of the request: `offset`, `like` (rows that search together with the sketches, and are not found), set, style and licence, each with commas between several
   * @throws RequestError 400 for an offset, set, style or licence that there is not; ImageError where a sketch cannot
   * be decoded
   */
  async search(
    sketches: Uint8Array | readonly Uint8Array[],
    k: number,
    signal?: AbortSignal,
    parameters = new URLSearchParams(),
  ): Promise<IconSearchAnswer> {
    const filter = iconFilterOf(parameters);
    const offset = offsetOf(parameters, k);
    const pictures = sketches instanceof Uint8Array ? [sketches] : sketches;
    const like = likeOf(parameters, pictures.length, { count: this.index.names.length });
    refusing(() => checkFilter(this.index.sets, filter));
    const { ranked, times } = await this.embedder.search(
      pictures,
      like.map((row) => this.embeddingOf(row)),
      (embedding) => this.embedder.rankIcons({ embedding, k: offset + k + 1 + like.length, filter }, signal),
      signal,
    );
    const { nothingLike, results } = markBelow(foundIcons(this.index, withoutRows(ranked, like)), this.cutOff);
    const { page, more } = pageOf(results, offset, k);
    return { nothingLike, neighbours: page, more, times };
  }

  private embeddingOf(row: number): Float32Array {
    return iconEmbedding(this.index, row);
  }

  /** Finishes what was requested and gives the programs back; the model stays. */
  close(): Promise<void> {
    return this.embedder.close();
  }
}

/** What an index says of the rows that a ranking gave. */
export function foundIcons(index: Pick<IconIndex, 'sets' | 'names' | 'styles'>, ranked: RankOutput): FoundIcon[] {
  return ranked.map(({ index: row, score }, place) => {
    const { prefix, licence } = setOfRow(index.sets, row);
    return {
      rank: place + 1,
      row,
      icon: iconId(index, row),
      set: prefix,
      licence,
      style: ICON_STYLES[index.styles[row]],
      similarity: score,
    };
  });
}

/** @returns names that need not be in an index (`checkFilter`) */
export function iconFilterOf(parameters: URLSearchParams): IconFilter {
  const names = (key: string): string[] =>
    parameters
      .getAll(key)
      .flatMap((value) => value.split(','))
      .map((name) => name.trim())
      .filter(Boolean);
  return { sets: names('set'), styles: names('style') as IconStyle[], licences: names('licence') };
}
