import { existsSync } from 'node:fs';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { assertSameModel, serializeIndex, type RetrievalIndex } from '../../retrieval/index-file.ts';
import { SearchService } from '../../server/search-service.ts';
import { modelEmbeddings } from '../../models/image-rows.ts';
import type { RetrievalModel } from '../../models/retrieval-model.ts';
import { reportSkipped } from '../files/data.ts';
import { embedFiles, findImages } from '../files/image-files.ts';
import { readGivenIndex } from '../files/given-index.ts';
import { OptionError } from '../options/option.ts';
import { PictureFolder } from '../files/picture-folder.ts';
import { note, Progress } from '../display/progress.ts';
import type { ServedGallery } from './served-gallery.ts';

/** Serves the pictures of a folder. @param indexPath of an index that is used where it is there, and else written */
export async function servePictures(
  folder: string,
  indexPath: string | undefined,
  model: RetrievalModel,
  checksum: string,
  cutOff: number | undefined,
  stop: AbortSignal,
): Promise<ServedGallery> {
  const pictures = await PictureFolder.open(folder, await indexOf(folder, indexPath, model, checksum, stop));
  if (pictures.leftOut.length > 0)
    note(
      `${pictures.leftOut.length} pictures of the index are not in ${folder}, and are left out: ${pictures.leftOut.slice(0, 3).join(', ')}${pictures.leftOut.length > 3 ? ' …' : ''}`,
    );
  const count = pictures.index.paths.length;
  if (count === 0) throw new OptionError(`no picture of the index is in ${folder}: is it the index of another folder?`);
  const service = await SearchService.open(model, pictures.index, { cutOff });
  return {
    title: `${count} pictures`,
    rows: count,
    about: { pictures: count, model: pictures.index.modelChecksum },
    searcher: service,
    async file(pathname) {
      const row = /^\/pictures\/(\d{1,9})$/.exec(pathname)?.[1];
      const content = row === undefined ? undefined : await pictures.thumbnail(Number(row));
      return content === undefined ? undefined : { type: 'image/webp', content };
    },
    close: () => service.close(),
  };
}

/** The index that was given, or a new one of the folder's pictures. */
async function indexOf(
  folder: string,
  indexPath: string | undefined,
  model: RetrievalModel,
  checksum: string,
  stop: AbortSignal,
): Promise<RetrievalIndex> {
  if (indexPath !== undefined && existsSync(indexPath)) {
    const index = await readGivenIndex(indexPath, '--index');
    assertSameModel(index, checksum);
    return index;
  }
  const files = await findImages(folder, 'the folder');
  const rows = await modelEmbeddings(model);
  const progress = new Progress('embedding');
  try {
    const { paths, embeddings, skipped } = await embedFiles(rows, files, {
      strict: false,
      onProgress: (done) => {
        stop.throwIfAborted();
        progress.update(done, files.length);
      },
    });
    progress.stop();
    reportSkipped(skipped);
    if (paths.length === 0)
      throw new OptionError(
        `none of the ${files.length} images in ${folder} can be decoded, so there is nothing to search`,
      );
    const index = { embeddings, dimension: rows.width, paths, modelChecksum: checksum };
    if (indexPath !== undefined) await writeFileAtomically(indexPath, serializeIndex(index));
    return index;
  } finally {
    progress.stop();
    rows.destroy();
  }
}
