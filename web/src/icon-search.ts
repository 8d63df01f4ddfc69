/** The search of an index of icons, in the worker. It is a chunk of its own, which comes with the first index. */
import { openIconIndex, type IconIndex } from '../../src/retrieval/icon-index.ts';
import { IconRanking } from '../../src/retrieval/icon-ranking.ts';

/** What a page shows of an index. */
export type IconListing = Pick<IconIndex, 'sets' | 'names' | 'styles' | 'modelChecksum'>;

export interface IconSearch {
  readonly listing: IconListing;
  readonly ranking: IconRanking;
}

/** @throws SafetensorsError or IndexFileError where the file is no sound index */
export async function openIconSearch(bytes: Uint8Array, name: string): Promise<IconSearch> {
  const index = await openIconIndex(bytes, name);
  const { sets, names, styles, modelChecksum } = index;
  const ranking = new IconRanking(index);
  // The first ranking takes 90 ms, until its loop is compiled, and the next ones 3.5 ms: it is not to be a visitor's.
  ranking.rankLike(0, 1);
  return { listing: { sets, names, styles, modelChecksum }, ranking };
}
