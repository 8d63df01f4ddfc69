import path from 'node:path';
import { watchFolder, WatchError } from '../../platform/node/folder-watch.ts';
import { SearchService } from '../../server/search-service.ts';
import type { RetrievalIndex } from '../../retrieval/index-file.ts';
import type { VectorStorage } from '../../retrieval/exact/stored-vectors.ts';
import type { RetrievalModel } from '../../models/retrieval-model.ts';
import { OptionError } from '../options/option.ts';
import { PictureFolder, type IndexedFolderPicture } from '../files/picture-folder.ts';
import { note } from '../display/progress.ts';
import { IndexKeeper } from './index-keeper.ts';
import { PictureChanges, type ChangeCounts, type ServedPicture } from './picture-changes.ts';
import { givenPictureIndex, newPictureIndex, openPlace, type NewIndexOptions } from './picture-index.ts';
import type { ServedGallery } from './served-gallery.ts';

export interface ServePicturesOptions extends NewIndexOptions {
  readonly folder: string;
  readonly cutOff: number | undefined;
  /** How vectors are held in memory. */
  readonly vectors: VectorStorage;
  /** Whether pictures that come, change or go later are followed. */
  readonly watch: boolean;
  /** Hears of changes that were followed. */
  readonly onChanges: (counts: ChangeCounts) => void;
}

/** A folder of pictures that is served. */
export interface PictureGallery extends ServedGallery {
  /** By row; undefined for a row that is not searched. */
  readonly pictures: readonly (ServedPicture | undefined)[];
  readonly modelChecksum: string;
  /** What is searched now. */
  index(): RetrievalIndex;
}

/**
 * Serves the pictures of a folder, a tar archive or a list.
 * @param model that the gallery frees when it is closed
 * @param previous the gallery that this one replaces: pictures that both have keep their rows, so that clients can go on
 */
export async function servePictures(
  model: RetrievalModel,
  options: ServePicturesOptions,
  previous?: PictureGallery,
): Promise<PictureGallery> {
  const { folder, indexPath, modelChecksum, cutOff, onChanges } = options;
  const given = await givenPictureIndex(indexPath, modelChecksum);
  // Without an index on disk, pictures need not be embedded again by the same model.
  const kept = indexPath === undefined && previous?.modelChecksum === modelChecksum ? previous.index() : undefined;
  const index = given ?? kept ?? (await newPictureIndex(folder, model, options));
  const pictures = await openPlace(folder);
  const watch = options.watch && pictures instanceof PictureFolder;
  const found = await pictures.find(index);
  tellOfLeftOut(folder, index, found);
  if (found.length === 0 && previous === undefined)
    throw new OptionError(`no picture of the index is in ${folder}: is it the index of another folder?`);
  const rows = arrange(found, index, previous?.pictures ?? []);
  const service = await SearchService.open(model, indexOf(rows, index), {
    cutOff,
    vectors: options.vectors,
    removed: [...rows.keys()].filter((row) => rows[row] === undefined),
  });
  const keeper = watch && indexPath !== undefined ? new IndexKeeper(indexPath, modelChecksum) : undefined;
  const changes =
    pictures instanceof PictureFolder
      ? new PictureChanges(pictures, service, rows, pathStyle(folder, found), keeper, onChanges)
      : undefined;
  const shown: readonly (ServedPicture | undefined)[] = changes?.pictures ?? rows;
  let unwatch: (() => Promise<void>) | undefined;
  const follow = async (): Promise<void> => {
    if (!watch) {
      if (kept !== undefined) changes?.update(undefined);
      return;
    }
    try {
      unwatch = await watchFolder(folder, (paths) => changes?.update(paths));
    } catch (error) {
      if (!(error instanceof WatchError)) throw error;
      note(`pictures that are added later are not found until SIGHUP or the next start: ${error.message}`);
    }
    // Changes from before the watch began.
    changes?.update(undefined);
  };
  const rest = async (): Promise<void> => {
    await unwatch?.();
    unwatch = undefined;
    await changes?.stop();
    await keeper?.flush();
  };
  await follow();
  return {
    title: `${service.rows.searched} pictures`,
    cutOff,
    get rows() {
      return service.rows.searched;
    },
    get about() {
      return { pictures: service.rows.searched, model: modelChecksum };
    },
    searcher: service,
    async file(pathname) {
      const row = /^\/pictures\/(\d{1,9})$/.exec(pathname)?.[1];
      const picture = row === undefined ? undefined : shown[Number(row)];
      const content = picture && (await pictures.thumbnail(picture.file));
      return content === undefined ? undefined : { type: 'image/webp', content };
    },
    pictures: shown,
    modelChecksum,
    index: () => currentIndex(service, shown, modelChecksum),
    pause: rest,
    resume: () => {
      changes?.resume();
      return follow();
    },
    async close() {
      await rest();
      await keeper?.close();
      await service.close();
      model.storage.destroy();
    },
  };
}

function tellOfLeftOut(folder: string, index: RetrievalIndex, found: readonly IndexedFolderPicture[]): void {
  if (found.length === index.paths.length) return;
  const there = new Set(found.map(({ row }) => row));
  const leftOut = index.paths.filter((_, row) => !there.has(row));
  note(
    `${leftOut.length} pictures of the index are not in ${folder}, and are left out: ${leftOut.slice(0, 3).join(', ')}${leftOut.length > 3 ? ' …' : ''}`,
  );
}

/** A picture, and where its vector is. */
type Placed = ServedPicture & { readonly row: number };

/** Pictures by their rows: those of before first, at the rows that they had. */
function arrange(
  found: readonly IndexedFolderPicture[],
  { stamps }: RetrievalIndex,
  before: readonly (ServedPicture | undefined)[],
): (Placed | undefined)[] {
  const rowsBefore = new Map(before.flatMap((picture, row) => (picture === undefined ? [] : [[picture.name, row]])));
  const rows = new Array<Placed | undefined>(before.length).fill(undefined);
  for (const { row, ...picture } of found) {
    // As it was embedded, so that it is embedded again where the file has changed since.
    const [size, time] = [stamps?.sizes[row] || picture.size, stamps?.times[row] || picture.time];
    const old = rowsBefore.get(picture.name);
    const isSame = old !== undefined && before[old]?.size === size && before[old]?.time === time;
    const placed = { ...picture, size, time, row };
    if (isSame && rows[old] === undefined) rows[old] = placed;
    else rows.push(placed);
  }
  return rows;
}

/** The index of pictures in another order; a row without a picture has zeros. */
function indexOf(rows: readonly (Placed | undefined)[], { embeddings, dimension, modelChecksum }: RetrievalIndex) {
  const vectors = new Float32Array(rows.length * dimension);
  for (const [place, picture] of rows.entries())
    if (picture !== undefined)
      vectors.set(embeddings.subarray(picture.row * dimension, (picture.row + 1) * dimension), place * dimension);
  return {
    embeddings: vectors,
    dimension,
    modelChecksum,
    paths: rows.map((picture) => picture?.name ?? ''),
    stamps: {
      sizes: Float64Array.from(rows, (picture) => picture?.size ?? 0),
      times: Float64Array.from(rows, (picture) => picture?.time ?? 0),
    },
  };
}

function currentIndex(
  { rows }: SearchService,
  pictures: readonly (ServedPicture | undefined)[],
  modelChecksum: string,
): RetrievalIndex {
  const there = [...pictures.keys()].filter((row) => pictures[row] !== undefined);
  const embeddings = new Float32Array(there.length * rows.dimension);
  there.forEach((row, place) => embeddings.set(rows.embedding(row), place * rows.dimension));
  const column = (key: 'size' | 'time'): Float64Array => Float64Array.from(there, (row) => pictures[row]?.[key] ?? 0);
  return {
    embeddings,
    dimension: rows.dimension,
    modelChecksum,
    paths: there.map((row) => pictures[row]?.path ?? ''),
    stamps: { sizes: column('size'), times: column('time') },
  };
}

/** How paths of new pictures begin: as those of the index do, in the folder or where the process runs. */
function pathStyle(
  folder: string,
  found: readonly IndexedFolderPicture[],
): (picture: { readonly name: string }) => string {
  const isInFolder = found.length > 0 && path.resolve(found[0].path) !== path.resolve(found[0].file);
  return ({ name }) => (isInFolder ? name : path.join(folder, name));
}
