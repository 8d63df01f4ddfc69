/** What a layout declares: a file of this folder for each data set, registered in index.ts. */
import type { SetName } from '../splits.ts';

/** A data set on disk. */
export interface Archive {
  /** Absolute, as all paths here. */
  readonly root: string;
  /** One of the names in `DataSource.layouts`. */
  readonly layout: string;
  /** Undefined where there are no published splits of it. */
  readonly set?: SetName;
  /** Folders that hold a folder of images for each class. A class's images are those of all of them. */
  readonly sketchFolders: readonly string[];
  readonly photoFolders: readonly string[];
  /** Files of drawings, one a class, where the sketches are no images. */
  readonly drawingFiles: readonly string[];
  /** Folders of list files in the root, by their names. */
  readonly listFolders: readonly string[];
  /** What is lacking for it to be whole, if anything is. */
  readonly lacks?: string;
}

/** Where a data set comes from, under which terms, and how it is stored on disk: what `sketchgrad data how` prints. */
export interface DataSource {
  /** A short name. */
  readonly set: string;
  readonly title: string;
  /** What it is made of, and by whom. */
  readonly contents: readonly string[];
  readonly places: readonly { readonly what: string; readonly where: string }[];
  /** In the publisher's own words where those were available; otherwise `ASK`. */
  readonly terms: readonly string[];
  /** Each the lines of a tree of folders. */
  readonly layouts: readonly { readonly name: string; readonly tree: readonly string[] }[];
  /** Values of --split. */
  readonly splits: readonly string[];
}

export const ASK = "see the publisher's page: no terms were found in the stored copies";

/** A data set and the ways in which it is stored on disk. */
export interface Layout {
  /** Left out where another layout has it. */
  readonly source?: DataSource;
  /** Names of folders inside its archives: one of them identifies its archive. */
  readonly innerFolders: RegExp;
  /**
   * One function for each kind of archive, in the order in which they are tried. It recognizes a folder by the names of
   * the folders in it alone, and opens no file; undefined where the folder is no such archive.
   */
  readonly archives: readonly ((root: string) => Promise<Archive | undefined>)[];
}
