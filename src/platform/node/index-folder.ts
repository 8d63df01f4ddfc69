/**
 * Index folders on disk. Parts are written first, each atomically, and the manifest last: whenever a process is killed,
 * the folder holds the old index or the new one, whole. Files that no manifest names are removed by the next writer.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import {
  MANIFEST,
  parseManifest,
  partFileName,
  rowsOf,
  serializeManifest,
  type Manifest,
  type ManifestPart,
} from '../../retrieval/index-folder/manifest.ts';
import {
  IndexFolderError,
  MOST_PATH_BYTES,
  parsePictureColumns,
  parsePictures,
  parseVectors,
  serializePictures,
  serializeVectors,
  type IndexedPicture,
  type PictureColumns,
} from '../../retrieval/index-folder/part.ts';
import { removeLeftovers, writeFileAtomically, type ReadBuffer } from './files.ts';

/** Rows of a part: 32 MiB of vectors with 128 components. */
const PART_ROWS = 65536;
const MOST_PART_BYTES = 2 ** 30;
const FLOAT_BYTES = 4;

/** Whether a path names an index folder, or would: whatever is no safetensors file. */
export const isIndexFolder = (name: string): boolean => !name.endsWith('.safetensors');

const hash = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** An index folder that is there. */
export class IndexFolder {
  private constructor(
    readonly folder: string,
    readonly manifest: Manifest,
  ) {}

  /** @throws IndexFolderError where there is no sound manifest */
  static async open(folder: string): Promise<IndexFolder> {
    const file = path.join(folder, MANIFEST);
    const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
      throw new IndexFolderError(
        cause.code === 'ENOENT'
          ? `${folder} is no index: it has no ${MANIFEST}; sketchgrad embed --out ${folder} makes one`
          : `${file} cannot be read: ${cause.message}`,
      );
    });
    return new IndexFolder(folder, parseManifest(bytes, file));
  }

  /** The index of a folder that may have none yet. */
  static async openIfThere(folder: string): Promise<IndexFolder | undefined> {
    return existsSync(path.join(folder, MANIFEST)) ? IndexFolder.open(folder) : undefined;
  }

  get count(): number {
    return rowsOf(this.manifest);
  }

  /**
   * The vectors of a part, [rows, dimension].
   * @param into takes them; default: a new array
   * @param buffer that the file is read into; default: new memory
   * @throws IndexFolderError, SafetensorsError where the file is damaged
   */
  async vectors({ rows, vectors }: ManifestPart, into?: Float32Array, buffer?: ReadBuffer): Promise<Float32Array> {
    const { dimension } = this.manifest;
    const bytes = await this.read(vectors, buffer);
    return parseVectors(bytes, path.join(this.folder, vectors), { rows, dimension }, { into, hash });
  }

  /** The pictures of a part. @throws IndexFolderError, SafetensorsError where the file is damaged */
  async pictures({ rows, pictures }: ManifestPart): Promise<IndexedPicture[]> {
    return parsePictures(await this.read(pictures), path.join(this.folder, pictures), rows);
  }

  /** The pictures of a part, column by column. @throws as `pictures` */
  async pictureColumns({ rows, pictures }: ManifestPart, buffer?: ReadBuffer): Promise<PictureColumns> {
    return parsePictureColumns(await this.read(pictures, buffer), path.join(this.folder, pictures), rows, hash);
  }

  /** Bytes of all its files. */
  async bytes(): Promise<number> {
    const names = [MANIFEST, ...this.manifest.parts.flatMap(({ vectors, pictures }) => [vectors, pictures])];
    const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(this.folder, name))).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  private async read(name: string, buffer?: ReadBuffer): Promise<Uint8Array> {
    const file = path.join(this.folder, name);
    return (buffer?.read(file) ?? readFile(file)).catch((cause: Error) => {
      throw new IndexFolderError(`${file} cannot be read, and ${MANIFEST} names it: ${cause.message}`);
    });
  }
}

/** Writes an index folder, row by row in the order of the index. */
export class IndexFolderWriter {
  private readonly parts: ManifestPart[] = [];
  private readonly partRows: number;
  private pictures: IndexedPicture[] = [];
  private pathBytes = 0;
  private vectors: Float32Array;

  private constructor(
    private readonly folder: string,
    private readonly about: Omit<Manifest, 'parts'>,
  ) {
    this.partRows = Math.max(1, Math.min(PART_ROWS, Math.floor(MOST_PART_BYTES / (FLOAT_BYTES * about.dimension))));
    this.vectors = new Float32Array(this.partRows * about.dimension);
  }

  static async create(folder: string, about: Omit<Manifest, 'parts'>): Promise<IndexFolderWriter> {
    await mkdir(folder, { recursive: true });
    await removeLeftovers(folder);
    return new IndexFolderWriter(folder, about);
  }

  /** @param vector [dimension] */
  async add(picture: IndexedPicture, vector: Float32Array): Promise<void> {
    // Parts are cut by their content alone, so that the same rows always give the same files.
    const pathBytes = Buffer.byteLength(picture.path);
    if (this.pictures.length === this.partRows || this.pathBytes + pathBytes > MOST_PATH_BYTES) await this.writePart();
    this.vectors.set(vector, this.pictures.length * this.about.dimension);
    this.pictures.push(picture);
    this.pathBytes += pathBytes;
  }

  /** Makes the new index the folder's, and removes what it does not need. */
  async finish(): Promise<Manifest> {
    if (this.pictures.length > 0) await this.writePart();
    const manifest: Manifest = { ...this.about, parts: this.parts };
    await writeFileAtomically(path.join(this.folder, MANIFEST), serializeManifest(manifest));
    const needed = new Set(this.parts.flatMap(({ vectors, pictures }) => [vectors, pictures]));
    for (const name of await readdir(this.folder))
      if (/^(vectors|pictures)-.*\.safetensors$/.test(name) && !needed.has(name))
        await rm(path.join(this.folder, name), { force: true });
    return manifest;
  }

  private async writePart(): Promise<void> {
    const { dimension, type } = this.about;
    const rows = this.pictures.length;
    const vectors = await serializeVectors(this.vectors.subarray(0, rows * dimension), dimension, type);
    const pictures = await serializePictures(this.pictures);
    this.parts.push({
      rows,
      vectors: await this.write('vectors', vectors),
      pictures: await this.write('pictures', pictures),
    });
    this.pictures = [];
    this.pathBytes = 0;
  }

  /** A file that is there already has this content: its name says so. */
  private async write(kind: 'vectors' | 'pictures', bytes: Uint8Array): Promise<string> {
    const name = partFileName(kind, createHash('sha256').update(bytes).digest('hex'));
    const file = path.join(this.folder, name);
    const there = await stat(file).catch(() => undefined);
    if (there?.size !== bytes.length) await writeFileAtomically(file, bytes);
    return name;
  }
}
