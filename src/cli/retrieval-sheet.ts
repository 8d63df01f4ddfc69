import type { ImageSource, Sample } from '../data/dataset.ts';
import { rankGallery } from '../retrieval/evaluate.ts';
import type { Evaluation, RetrievalTask } from '../training/evaluation.ts';
import type { ContactSheetRow, SheetImage } from './contact-sheet.ts';

/** Queries on the sheet, and pictures for each. */
const ROWS = 16;
const COLUMNS = 10;
/** Side of a report's images in pixels; a screen's, whatever the network saw. */
export const PICTURE_SIZE = 96;

/**
 * A query each of classes spread over all, with its best pictures.
 * @param images that give pictures of PICTURE_SIZE
 */
export async function retrievalSheet({ queries, gallery, classNames }: RetrievalTask, embedded: Evaluation, images: ImageSource): Promise<ContactSheetRow[]> {
  const dimension = embedded.gallery.length / gallery.length;
  const places = new Map<string, number[]>();
  queries.forEach(({ className }, index) => {
    const ofClass = places.get(className);
    if (ofClass === undefined) places.set(className, [index]);
    else ofClass.push(index);
  });
  const searched = classNames.filter((className) => places.has(className));
  const count = Math.min(ROWS, searched.length);
  const rows = Array.from({ length: count }, (_, row) => {
    const ofClass = places.get(searched[Math.floor((row * searched.length) / count)])!;
    // From row to row another of the class's queries, hence another hand.
    return ofClass[row % ofClass.length];
  });
  const image = async (sample: Sample): Promise<SheetImage> => ({ pixels: await images.read(sample, PICTURE_SIZE), size: PICTURE_SIZE });
  return Promise.all(
    rows.map(async (query): Promise<ContactSheetRow> => {
      const { className } = queries[query];
      const ranked = rankGallery(embedded.queries.slice(query * dimension, (query + 1) * dimension), embedded.gallery, dimension, COLUMNS + 1);
      const found = ranked.filter(({ index }) => index !== embedded.labels.excluded?.[query]).slice(0, COLUMNS);
      const results = await Promise.all(
        found.map(async ({ index, score }) => ({ ...(await image(gallery[index])), label: gallery[index].className, hit: gallery[index].className === className, score })),
      );
      return { label: className, query: await image(queries[query]), results };
    }),
  );
}
