import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { RetrievalModel } from '../../models/retrieval-model.ts';
import { StoreSearchService } from '../../server/store-search-service.ts';
import { openStore } from '../../stores/open-store.ts';
import { thumbnailWithin } from '../files/picture-folder.ts';
import type { ServedGallery } from './served-gallery.ts';

/**
 * Serves the pictures of a vector store.
 * @param model that the gallery frees when it is closed
 * @param folder that contains the pictures; those that are not in it are found without a thumbnail
 */
export async function serveStore(
  folder: string,
  address: string,
  model: RetrievalModel,
  modelChecksum: string,
  cutOff: number | undefined,
): Promise<ServedGallery> {
  const root = await realpath(folder);
  const store = await openStore(address, { modelChecksum });
  const close = (error: unknown): Promise<never> => store.close().then(() => Promise.reject(error as Error));
  const count = await store.count().catch(close);
  const service = await StoreSearchService.open(model, store, { cutOff }).catch(close);
  return {
    title: `${count} pictures`,
    cutOff,
    rows: count,
    about: { pictures: count, model: modelChecksum },
    searcher: service,
    async file(pathname) {
      const row = /^\/pictures\/(\d{1,15})$/.exec(pathname)?.[1];
      const name = row === undefined ? undefined : service.pathOf(Number(row));
      if (name === undefined) return undefined;
      // Paths begin where sketchgrad embed ran, or in the folder.
      const content =
        (await thumbnailWithin(root, path.resolve(name))) ?? (await thumbnailWithin(root, path.resolve(folder, name)));
      return content === undefined ? undefined : { type: 'image/webp', content };
    },
    async close() {
      await service.close();
      await store.close();
      model.storage.destroy();
    },
  };
}
