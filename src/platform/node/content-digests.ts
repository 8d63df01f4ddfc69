import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isJsonObject } from '../../formats/untrusted.ts';
import { cacheFolder } from './cache-folder.ts';
import { writeFileAtomically } from './files.ts';
import { ImageError } from './images.ts';

/** What tells that a file was not touched since, and the digest of its content. */
type Entry = readonly [stamp: string, digest: string];

/**
 * A change within this time after a file's last one may leave its time as it was, so that the digest is not remembered.
 */
const RECENT_MILLISECONDS = 2000;
/** Files that are read at a time: enough to keep a disk busy. */
const AT_A_TIME = 16;

/**
 * Digests of files' contents. What was read once is remembered in the cache folder, and read again only where a file's
 * size or times are others: of 70,000 photos the first start reads all, and the next one asks for their times alone.
 * Without a cache folder that can be written, each start reads them.
 */
export class ContentDigests {
  private readonly entries: Map<string, Entry>;
  private changed = false;
  private filesRead = 0;

  private constructor(
    private readonly file: string,
    entries: Map<string, Entry>,
  ) {
    this.entries = entries;
  }

  /** @param name of the collection, such as the path of its folder */
  static async open(name: string, folder = path.join(cacheFolder(), 'contents')): Promise<ContentDigests> {
    const file = path.join(
      folder,
      `${createHash('sha256').update(path.resolve(name)).digest('hex').slice(0, 16)}.json`,
    );
    return new ContentDigests(file, await readEntries(file));
  }

  /**
   * Size and SHA-256 of each file's content; a file that is named more than once is read once.
   * @param onProgress is called from the first file on that has to be read, and at the end, with counts of distinct
   * files; never where all are remembered
   * @throws ImageError where one cannot be read
   */
  async of(files: readonly string[], onProgress?: (done: number, total: number) => void): Promise<string[]> {
    const digests = new Map<string, string>();
    const paths = files.map((file) => path.resolve(file));
    const distinct = [...new Set(paths)];
    const readBefore = this.filesRead;
    for (let start = 0; start < distinct.length; start += AT_A_TIME) {
      await Promise.all(
        distinct
          .slice(start, start + AT_A_TIME)
          .map(async (file) =>
            digests.set(
              file,
              await this.find(file).catch((cause: unknown) => Promise.reject(new ImageError(file, cause))),
            ),
          ),
      );
      if (this.filesRead > readBefore) onProgress?.(digests.size, distinct.length);
    }
    await this.save();
    return paths.map((file) => digests.get(file) as string);
  }

  /** Remembers what was found. Where that cannot be written, the next start finds it again. */
  private async save(): Promise<void> {
    if (!this.changed) return;
    this.changed = false;
    const content = new TextEncoder().encode(JSON.stringify(Object.fromEntries(this.entries)));
    await mkdir(path.dirname(this.file), { recursive: true })
      .then(() => writeFileAtomically(this.file, content))
      .catch(() => undefined);
  }

  private async find(file: string): Promise<string> {
    const found = await stat(file, { bigint: true });
    const stamp = `${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
    const before = this.entries.get(file);
    if (before?.[0] === stamp) return before[1];
    this.filesRead++;
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    const digest = `${found.size} ${hash.digest('hex')}`;
    if (Date.now() - Number(found.mtimeMs) > RECENT_MILLISECONDS) {
      this.entries.set(file, [stamp, digest]);
      this.changed = true;
    }
    return digest;
  }
}

/** A file that is missing or damaged is as good as an empty one. */
async function readEntries(file: string): Promise<Map<string, Entry>> {
  try {
    const content: unknown = JSON.parse(await readFile(file, 'utf8'));
    const isEntry = (entry: unknown): entry is Entry =>
      Array.isArray(entry) && entry.length === 2 && entry.every((part) => typeof part === 'string');
    return new Map(
      isJsonObject(content)
        ? Object.entries(content).filter((entry): entry is [string, Entry] => isEntry(entry[1]))
        : [],
    );
  } catch {
    return new Map();
  }
}
