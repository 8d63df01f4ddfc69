/**
 * Embeds pictures into an index folder, or brings one up to date: what was embedded before and has not changed is taken
 * over, the rest is embedded in chunks that are kept on disk until the index is written. A run that was killed goes on
 * from its last chunk, and the index is the same to the byte.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { decodeImage, ImageError } from '../../platform/node/images.ts';
import { IndexFolder, IndexFolderWriter } from '../../platform/node/index-folder.ts';
import type { PictureSource, PictureStamp } from '../../platform/node/picture-sources/source.ts';
import { IndexModelMismatchError } from '../../retrieval/index-file.ts';
import type { Manifest, ManifestPart } from '../../retrieval/index-folder/manifest.ts';
import {
  parsePictures,
  parseVectors,
  serializePictures,
  serializeVectors,
  type IndexedPicture,
  type VectorType,
} from '../../retrieval/index-folder/part.ts';
import type { ImageRows } from '../../models/image-rows.ts';
import { embedFiles } from './image-files.ts';

export interface EmbedFolderOptions {
  readonly modelChecksum: string;
  readonly type: VectorType;
  /** What else decides the vectors' bits: the device and the precision. */
  readonly circumstances: string;
  readonly strict: boolean;
  /** Whether an index without pictures is written, as for a shard without a picture that can be decoded. */
  readonly allowEmpty?: boolean;
  /** Hears how many of the pictures that have to be embedded are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface EmbeddedFolder {
  readonly manifest: Manifest;
  /** Pictures that were taken over, and those of them that have another path now. */
  readonly kept: number;
  readonly moved: number;
  readonly embedded: number;
  /** Pictures of the old index that are gone. */
  readonly removed: number;
  readonly skipped: readonly ImageError[];
}

/** None of the pictures can be decoded. What was in the folder stays. */
export class EmptyIndexError extends Error {
  override readonly name = 'EmptyIndexError';

  constructor(readonly skipped: readonly ImageError[]) {
    super('none of the pictures can be decoded, so there is no index');
  }
}

/** Pictures that are embedded and kept on disk at once. */
const CHUNK = 1024;
/** Pictures whose stamps are read at a time. */
const AT_A_TIME = 64;
const PROGRESS = 'progress';

/** Where the vector of a picture is taken from. */
type Origin =
  | { readonly kind: 'old'; readonly part: ManifestPart; readonly row: number; readonly digest: string }
  | { readonly kind: 'new' };

/**
 * @param pictures in any order; the index has them in the order of their names' code units
 * @throws IndexModelMismatchError where another model made the index that is there; ImageError with `strict`
 */
export async function embedFolder(
  folder: string,
  pictures: PictureSource,
  rows: ImageRows,
  { modelChecksum, type, circumstances, strict, allowEmpty = false, onProgress }: EmbedFolderOptions,
): Promise<EmbeddedFolder> {
  const old = await IndexFolder.openIfThere(folder);
  if (old !== undefined && old.manifest.modelChecksum !== modelChecksum)
    throw new IndexModelMismatchError(old.manifest.modelChecksum, modelChecksum);
  const stamps = await stampsOf(pictures);
  const { origins, kept, moved, removed } = await compare(old, stamps, pictures);

  const missing = stamps.filter((_, index) => origins[index].kind === 'new');
  const progress = path.join(folder, PROGRESS);
  await mkdir(progress, { recursive: true });
  const chunks: Chunk[] = [];
  for (let start = 0; start < missing.length; start += CHUNK) {
    const own = missing.slice(start, start + CHUNK);
    const file = path.join(progress, chunkKey(own, [modelChecksum, String(rows.width), circumstances]));
    const chunk =
      (await readChunk(file)) ??
      (await embedChunk(file, own, pictures, rows, strict, (done) => onProgress?.(start + done, missing.length)));
    onProgress?.(Math.min(start + CHUNK, missing.length), missing.length);
    chunks.push(chunk);
  }

  const skipped = chunks.flatMap((chunk) => chunk.skipped.map(([file, reason]) => new ImageError(file, reason)));
  if (stamps.length === skipped.length && !allowEmpty) throw new EmptyIndexError(skipped);
  const writer = await IndexFolderWriter.create(folder, { modelChecksum, dimension: rows.width, type });
  const fresh = vectorsOf(chunks, rows.width);
  const taken = new OldVectors(old);
  let next = await fresh.next();
  for (const [index, stamp] of stamps.entries()) {
    const origin = origins[index];
    if (origin.kind === 'old') {
      await writer.add({ ...stamp, digest: origin.digest }, await taken.row(origin.part, origin.row));
    } else if (next.done !== true && next.value.picture.path === stamp.path) {
      await writer.add(next.value.picture, next.value.vector);
      next = await fresh.next();
    }
    // Else it could not be decoded.
  }
  const manifest = await writer.finish();
  await rm(progress, { recursive: true, force: true });
  return { manifest, kept, moved, embedded: missing.length - skipped.length, removed, skipped };
}

async function stampsOf(pictures: PictureSource): Promise<PictureStamp[]> {
  const names = [...pictures.names].sort((a, b) => (a < b ? -1 : 1));
  const stamps: PictureStamp[] = [];
  for (let start = 0; start < names.length; start += AT_A_TIME)
    stamps.push(...(await Promise.all(names.slice(start, start + AT_A_TIME).map((name) => pictures.stamp(name)))));
  return stamps;
}

/** Finds what of an index can be taken over. Both sides are in the same order, so that one pass over each is enough. */
async function compare(
  old: IndexFolder | undefined,
  stamps: readonly PictureStamp[],
  pictures: PictureSource,
): Promise<{ origins: Origin[]; kept: number; moved: number; removed: number }> {
  const origins = stamps.map((): Origin => ({ kind: 'new' }));
  const gone = new Map<string, Origin & { kind: 'old' }>();
  const goneSizes = new Set<number>();
  let at = 0;
  let kept = 0;
  let removed = 0;
  for (const part of old?.manifest.parts ?? []) {
    for (const [row, picture] of (await (old as IndexFolder).pictures(part)).entries()) {
      while (at < stamps.length && stamps[at].path < picture.path) at++;
      const origin = { kind: 'old', part, row, digest: picture.digest } as const;
      const stamp = stamps[at];
      if (stamp?.path === picture.path && isUnchanged(stamp, picture)) {
        origins[at] = origin;
        kept++;
      } else {
        // The content of a picture that is gone, or has changed, may be found under another path.
        gone.set(picture.digest, origin);
        goneSizes.add(picture.size);
        if (stamp?.path !== picture.path) removed++;
      }
    }
  }
  let moved = 0;
  for (const [index, stamp] of stamps.entries()) {
    if (origins[index].kind === 'old' || (stamp.size > 0 && !goneSizes.has(stamp.size))) continue;
    // What cannot be read now is told when it is embedded.
    const bytes = gone.size === 0 ? undefined : await pictures.read(stamp.path).catch(() => undefined);
    const origin = bytes === undefined ? undefined : gone.get(sha256(bytes));
    if (origin === undefined) continue;
    origins[index] = origin;
    moved++;
  }
  return { origins, kept: kept + moved, moved, removed };
}

/** A source that knows no time of the last change tells nothing by it. */
const isUnchanged = (now: PictureStamp, before: PictureStamp): boolean =>
  now.time > 0 && now.size === before.size && now.time === before.time;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Embedded pictures that are on disk. */
interface Chunk {
  readonly file: string;
  readonly pictures: readonly IndexedPicture[];
  /** Files that could not be decoded, with the reason. */
  readonly skipped: readonly (readonly [file: string, reason: string])[];
}

const chunkKey = (stamps: readonly PictureStamp[], circumstances: readonly string[]): string =>
  createHash('sha256')
    .update(JSON.stringify([circumstances, stamps.map(({ path: name, size, time }) => [name, size, time])]))
    .digest('hex')
    .slice(0, 24);

async function embedChunk(
  file: string,
  stamps: readonly PictureStamp[],
  source: PictureSource,
  rows: ImageRows,
  strict: boolean,
  onProgress: (done: number) => void,
): Promise<Chunk> {
  // The digest is of the bytes that are decoded: a file may change in the meantime.
  const digests = new Map<string, string>();
  const { paths, embeddings, skipped } = await embedFiles(
    rows,
    stamps.map(({ path: name }) => name),
    {
      strict,
      onProgress,
      async decode(name, size) {
        const bytes = await source.read(name);
        digests.set(name, sha256(bytes));
        return decodeImage(bytes, size, name);
      },
    },
  );
  const byPath = new Map(stamps.map((stamp) => [stamp.path, stamp]));
  const pictures = paths.map((name): IndexedPicture => ({
    ...(byPath.get(name) as PictureStamp),
    digest: digests.get(name) as string,
  }));
  const reasons = skipped.map(
    ({ path: name, message }) => [name, message.replace(`${name} cannot be decoded: `, '')] as const,
  );
  await writeFileAtomically(`${file}.vectors`, await serializeVectors(embeddings, rows.width, 'F32'));
  await writeFileAtomically(`${file}.pictures`, await serializePictures(pictures));
  // Last: where it is there, the others are whole.
  await writeFileAtomically(
    `${file}.json`,
    new TextEncoder().encode(JSON.stringify({ count: pictures.length, skipped: reasons })),
  );
  return { file, pictures, skipped: reasons };
}

/** A chunk of a run that was killed; undefined where it has to be embedded. */
async function readChunk(file: string): Promise<Chunk | undefined> {
  try {
    const { count, skipped } = JSON.parse(await readFile(`${file}.json`, 'utf8')) as Pick<Chunk, 'skipped'> & {
      count: number;
    };
    return { file, pictures: await parsePictures(await readFile(`${file}.pictures`), file, count), skipped };
  } catch {
    return undefined;
  }
}

/** The embedded pictures of all chunks, in order; one chunk's vectors are in memory at a time. */
async function* vectorsOf(
  chunks: readonly Chunk[],
  dimension: number,
): AsyncGenerator<{ picture: IndexedPicture; vector: Float32Array }, void, undefined> {
  for (const { file, pictures } of chunks) {
    const vectors = await parseVectors(await readFile(`${file}.vectors`), file, { rows: pictures.length, dimension });
    for (const [row, picture] of pictures.entries())
      yield { picture, vector: vectors.subarray(row * dimension, (row + 1) * dimension) };
  }
}

/** Vectors of an index that is there. The last part is kept: most rows follow one another. */
class OldVectors {
  private part: ManifestPart | undefined;
  private vectors: Float32Array = new Float32Array(0);

  constructor(private readonly index: IndexFolder | undefined) {}

  async row(part: ManifestPart, row: number): Promise<Float32Array> {
    const index = this.index as IndexFolder;
    if (this.part !== part) {
      this.vectors = await index.vectors(part);
      this.part = part;
    }
    const { dimension } = index.manifest;
    return this.vectors.subarray(row * dimension, (row + 1) * dimension);
  }
}
