/** Where pictures to be embedded come from: files, the members of tar archives, or addresses. */
import { readFile, stat } from 'node:fs/promises';
import { ImageError } from '../images.ts';

/** A picture's name, and what tells whether it has changed. */
export interface PictureStamp {
  readonly path: string;
  /** In bytes; 0 if the source does not say. */
  readonly size: number;
  /** Of the last change, in milliseconds since 1970; 0 if the source does not say. */
  readonly time: number;
}

export interface PictureSource {
  /** Names of the pictures, each once. An index stores them, and search results show them. */
  readonly names: readonly string[];
  /** @throws ImageError if there is no such picture */
  stamp(name: string): Promise<PictureStamp>;
  /** The bytes of the picture's file. @throws ImageError if they cannot be read */
  read(name: string): Promise<Uint8Array>;
}

/** Files, by their paths. */
export function fileSource(paths: readonly string[]): PictureSource {
  return {
    names: paths,
    async stamp(name) {
      const { size, mtimeMs } = await named(name, stat(name));
      return { path: name, size, time: mtimeMs };
    },
    read: (name) => named(name, readFile(name)),
  };
}

/** The pictures of several sources. A name that several have is taken from the first. */
export function joinedSource(sources: readonly PictureSource[]): PictureSource {
  const owners = new Map<string, PictureSource>();
  for (const source of sources) for (const name of source.names) if (!owners.has(name)) owners.set(name, source);
  const ownerOf = (name: string): PictureSource => {
    const owner = owners.get(name);
    if (owner === undefined) throw new ImageError(name, 'no source has it');
    return owner;
  };
  return {
    names: [...owners.keys()],
    stamp: (name) => ownerOf(name).stamp(name),
    read: (name) => ownerOf(name).read(name),
  };
}

/** The pictures of a source whose names pass a test, such as those of a shard. */
export function selectedSource(source: PictureSource, selects: (name: string) => boolean): PictureSource {
  return { ...source, names: source.names.filter(selects) };
}

async function named<Result>(name: string, result: Promise<Result>): Promise<Result> {
  return result.catch((cause: unknown) => Promise.reject(new ImageError(name, cause)));
}
