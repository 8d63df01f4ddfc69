import { thumbnail } from '../../platform/node/images.ts';
import type { PictureSource } from '../../platform/node/picture-sources/source.ts';
import type { RetrievalIndex } from '../../retrieval/index-file.ts';
import { BatchQueue } from '../../server/batch-queue.ts';
import { THUMBNAIL, type IndexedFolderPicture } from './picture-folder.ts';

/** Pictures that are read at once, from a disk or another server, however many clients request thumbnails. */
const AT_A_TIME = 8;

/** The pictures of a tar archive or of a list, which may be shown. */
export class PictureList {
  private readonly queue: BatchQueue<string, Uint8Array | undefined>;

  constructor(private readonly source: PictureSource) {
    this.queue = new BatchQueue(
      (names) =>
        Promise.all(
          names.map((name) =>
            source
              .read(name)
              .then((bytes) => thumbnail(bytes, THUMBNAIL, name))
              .catch(() => undefined),
          ),
        ),
      AT_A_TIME,
    );
  }

  /** Pictures of an index that are there. */
  find({ paths }: Pick<RetrievalIndex, 'paths'>): Promise<IndexedFolderPicture[]> {
    const there = new Set(this.source.names);
    return Promise.resolve(
      paths.flatMap((name, row) => (there.has(name) ? [{ name, file: name, path: name, row, size: 0, time: 0 }] : [])),
    );
  }

  /** A thumbnail of a picture, as WebP; undefined where it cannot be read or decoded. */
  thumbnail(name: string): Promise<Uint8Array | undefined> {
    return this.queue.add(name);
  }
}
