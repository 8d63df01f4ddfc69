import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ImageError } from '../images.ts';
import type { PictureSource } from './source.ts';
import { tarSource } from './tar.ts';
import { urlSource } from './urls.ts';

/** Reads pictures by the paths that an index stores: of files, of members of tar archives, and http(s) addresses. */
export class PictureReader {
  private readonly urls = urlSource([]);
  private readonly archives = new Map<string, Promise<PictureSource | undefined>>();

  /** @param folders in which relative paths may begin, tried one after the other */
  constructor(private readonly folders: readonly string[]) {}

  /** The bytes of the picture's file. @throws ImageError if they cannot be read */
  async read(name: string): Promise<Uint8Array> {
    if (/^https?:\/\//i.test(name)) return this.urls.read(name);
    for (const folder of this.folders) {
      const file = path.resolve(folder, name);
      const bytes = (await readFile(file).catch(() => undefined)) ?? (await this.readMember(file));
      if (bytes !== undefined) return bytes;
    }
    throw new ImageError(
      name,
      new Error(`it is not at ${this.folders.map((folder) => path.resolve(folder, name)).join(' or ')}`),
    );
  }

  private async readMember(file: string): Promise<Uint8Array | undefined> {
    for (const { index } of file.matchAll(/\.tar(?=[\\/])/gi)) {
      const archive = file.slice(0, index + '.tar'.length);
      // An archive that is not there, or a folder of this name.
      const opened = this.archives.get(archive) ?? tarSource(archive).catch(() => undefined);
      this.archives.set(archive, opened);
      const bytes = await (await opened)?.read(file).catch(() => undefined);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }
}
