import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { decodeImage } from '../../platform/node/images.ts';
import { IndexFolder, isIndexFolder } from '../../platform/node/index-folder.ts';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { fileSource } from '../../platform/node/picture-sources/source.ts';
import { readIndex } from '../../platform/node/read-index.ts';
import { assertSameModel, serializeIndex, type RetrievalIndex } from '../../retrieval/index-file.ts';
import { modelEmbeddings } from '../../models/image-rows.ts';
import type { RetrievalModel } from '../../models/retrieval-model.ts';
import { reportSkipped } from '../files/data.ts';
import { embedFolder, EmptyIndexError } from '../files/embed-folder.ts';
import { embedFiles, findImages, openPictures } from '../files/image-files.ts';
import { PictureFolder } from '../files/picture-folder.ts';
import { PictureList } from '../files/picture-list.ts';
import { readGivenIndex } from '../files/given-index.ts';
import { OptionError } from '../options/option.ts';
import { Progress } from '../display/progress.ts';

export interface NewIndexOptions {
  /** Where it is written; undefined: nowhere. */
  readonly indexPath: string | undefined;
  readonly modelChecksum: string;
  /** What else decides the vectors' bits: the device and the precision. */
  readonly circumstances: string;
  readonly stop: AbortSignal;
}

/** The index that was given; undefined if there is none yet. @throws IndexModelMismatchError */
export async function givenPictureIndex(
  indexPath: string | undefined,
  modelChecksum: string,
): Promise<RetrievalIndex | undefined> {
  if (indexPath === undefined || !existsSync(indexPath)) return undefined;
  // A folder in which embedding was interrupted has no manifest yet.
  if (isIndexFolder(indexPath) && (await isUnfinished(indexPath))) return undefined;
  const index = await readGivenIndex(indexPath, '--index');
  assertSameModel(index, modelChecksum);
  return index;
}

/** What is served: the pictures of a folder, or as `openPictures` takes them of a tar archive or a list. */
export async function openPlace(place: string): Promise<PictureFolder | PictureList> {
  const isFile = (await stat(place).catch(() => undefined))?.isFile() === true;
  return isFile ? new PictureList(await openPictures(place)) : PictureFolder.open(place);
}

/** Embeds the pictures of a folder, a tar archive or a list. */
export async function newPictureIndex(
  place: string,
  model: RetrievalModel,
  { indexPath, modelChecksum, circumstances, stop }: NewIndexOptions,
): Promise<RetrievalIndex> {
  const isFile = (await stat(place).catch(() => undefined))?.isFile() === true;
  const source = isFile ? await openPictures(place) : fileSource(await findImages(place, 'the folder'));
  const files = source.names;
  const rows = await modelEmbeddings(model);
  const progress = new Progress('embedding');
  const onProgress = (done: number, total = files.length): void => {
    stop.throwIfAborted();
    progress.update(done, total);
  };
  try {
    if (indexPath !== undefined && isIndexFolder(indexPath)) {
      const { skipped } = await embedFolder(indexPath, source, rows, {
        modelChecksum,
        type: 'F32',
        circumstances,
        strict: false,
        onProgress,
      });
      progress.stop();
      reportSkipped(skipped);
      return await readIndex(indexPath);
    }
    const { paths, embeddings, skipped } = await embedFiles(rows, files, {
      strict: false,
      decode: async (name, size) => decodeImage(await source.read(name), size, name),
      onProgress,
    });
    progress.stop();
    reportSkipped(skipped);
    if (paths.length === 0) throw new EmptyIndexError(skipped);
    const index = { embeddings, dimension: rows.width, paths, modelChecksum };
    if (indexPath !== undefined) await writeFileAtomically(indexPath, serializeIndex(index));
    return index;
  } catch (error) {
    if (!(error instanceof EmptyIndexError)) throw error;
    throw new OptionError(
      `none of the ${files.length} images in ${place} can be decoded, so there is nothing to search`,
      { cause: error },
    );
  } finally {
    progress.stop();
    rows.destroy();
  }
}

const isUnfinished = async (folder: string): Promise<boolean> =>
  existsSync(`${folder}/progress`) && (await IndexFolder.openIfThere(folder)) === undefined;
