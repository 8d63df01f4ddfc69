import type { Searcher } from '../../server/search-handler.ts';

/** What is searched and shown: a folder of pictures, a vector store, or an index of icons. */
export interface ServedGallery {
  /** What it is, for the user who started the command. */
  readonly title: string;
  /** Pictures or icons that are searched now. */
  readonly rows: number;
  /** What a page is told. */
  readonly about: object;
  /** The similarity from which an answer means something. */
  readonly cutOff: number | undefined;
  readonly searcher: Searcher;
  /** What it has at an address besides the page; undefined where nothing. */
  file(
    pathname: string,
  ): Promise<
    | { readonly type: string; readonly content: Uint8Array; readonly headers?: Readonly<Record<string, string>> }
    | undefined
  >;
  /** Follows no changes, and writes nothing, until `resume`: another gallery is being opened on the same files. */
  pause?(): Promise<void>;
  resume?(): Promise<void>;
  /** Frees what it holds, its model included. */
  close(): Promise<void>;
}
