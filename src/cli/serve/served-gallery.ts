import type { Searcher } from '../../server/search-handler.ts';

/** What is searched and shown: a folder of pictures, or an index of icons. */
export interface ServedGallery {
  /** What it is, for the user who started the command. */
  readonly title: string;
  /** Pictures or icons that are searched. */
  readonly rows: number;
  /** What a page is told. */
  readonly about: object;
  readonly searcher: Searcher;
  /** What it has at an address besides the page; undefined where nothing. */
  file(
    pathname: string,
  ): Promise<
    | { readonly type: string; readonly content: Uint8Array; readonly headers?: Readonly<Record<string, string>> }
    | undefined
  >;
  close(): Promise<void>;
}
