import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeText } from '../../../formats/text.ts';
import { BoundedError } from '../../../formats/untrusted.ts';
import { fileSource, joinedSource, type PictureSource } from './source.ts';
import { tarSource } from './tar.ts';
import { urlSource } from './urls.ts';

/** A list of pictures that cannot be read. The message names its line. */
export class PictureListError extends BoundedError {
  override readonly name = 'PictureListError';
}

/**
 * The pictures that a text file lists, one a line: paths (from the list's folder), file:// and http(s):// addresses, and
 * tar archives (.tar), whose pictures are all taken. Empty lines and lines that begin with # are passed over.
 * @throws PictureListError, TarError; the system's error if the list cannot be read
 */
export async function listSource(list: string): Promise<PictureSource> {
  const files: string[] = [];
  const archives: string[] = [];
  const addresses: string[] = [];
  const text = textOf(await readFile(list), list);
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) continue;
    const protocol = /^([a-z][a-z0-9+.-]+):\/\//i.exec(entry)?.[1]?.toLowerCase();
    if (protocol === 'http' || protocol === 'https') addresses.push(entry);
    else if (protocol === undefined || protocol === 'file') {
      const file = protocol === 'file' ? fileURLToPath(entry) : path.join(path.dirname(list), entry);
      (file.toLowerCase().endsWith('.tar') ? archives : files).push(path.isAbsolute(entry) ? entry : file);
    } else
      throw new PictureListError(`${list}, line ${index + 1}: ${protocol}:// is not read; use http, https or file`);
  }
  return joinedSource([
    fileSource(files),
    urlSource(addresses),
    ...(await Promise.all(archives.map((archive) => tarSource(archive)))),
  ]);
}

function textOf(bytes: Uint8Array, list: string): string {
  try {
    return decodeText(bytes);
  } catch (cause) {
    throw new PictureListError(`${list}: ${(cause as Error).message}`, { cause });
  }
}
