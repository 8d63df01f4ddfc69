import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { BoundedError } from '../../../formats/untrusted.ts';
import { isHidden } from '../hidden-files.ts';
import { IMAGE_EXTENSIONS, ImageError } from '../images.ts';
import type { PictureSource } from './source.ts';

/** A tar archive that cannot be read. */
export class TarError extends BoundedError {
  override readonly name = 'TarError';
}

interface Member {
  readonly start: number;
  readonly size: number;
  readonly time: number;
}

/**
 * The pictures in a tar archive, such as a shard of WebDataset. A picture's name is the archive's path, a slash and its
 * name in the archive. Members that are no files of pictures are passed over; a name that comes twice is its first.
 * @throws TarError if the archive is damaged, or tar-stream is not installed
 */
export async function tarSource(archive: string): Promise<PictureSource> {
  const members = await membersOf(archive);
  const memberOf = (name: string): Member => {
    const member = members.get(name);
    if (member === undefined) throw new ImageError(name, `${archive} has no such member`);
    return member;
  };
  return {
    names: [...members.keys()],
    stamp(name) {
      const { size, time } = memberOf(name);
      return Promise.resolve({ path: name, size, time });
    },
    async read(name) {
      const { start, size } = memberOf(name);
      const file = await open(archive);
      try {
        const bytes = new Uint8Array(size);
        const { bytesRead } = await file.read(bytes, 0, size, start);
        if (bytesRead < size) throw new ImageError(name, `${archive} has become shorter`);
        return bytes;
      } finally {
        await file.close();
      }
    },
  };
}

async function membersOf(archive: string): Promise<Map<string, Member>> {
  const { extract } = await import('tar-stream').catch((cause: unknown) => {
    throw new TarError(`tar archives are read by the npm package tar-stream. Run \`npm install tar-stream\`.`, {
      cause,
    });
  });
  const members = new Map<string, Member>();
  const entries = extract();
  const reading = createReadStream(archive);
  reading.on('error', (error) => entries.destroy(error));
  try {
    for await (const entry of reading.pipe(entries)) {
      const { name, type, size = 0, mtime, byteOffset } = entry.header as typeof entry.header & { byteOffset: number };
      const picture = path.posix.normalize(name);
      if (type === 'file' && isPicture(picture) && !members.has(`${archive}/${picture}`))
        members.set(`${archive}/${picture}`, { start: byteOffset, size, time: mtime?.getTime() ?? 0 });
      entry.resume();
    }
  } catch (cause) {
    throw new TarError(`${archive} cannot be read as a tar archive: ${(cause as Error).message}`, { cause });
  }
  return members;
}

const isPicture = (name: string): boolean =>
  !isHidden(name) && IMAGE_EXTENSIONS.includes(path.posix.extname(name).toLowerCase());
