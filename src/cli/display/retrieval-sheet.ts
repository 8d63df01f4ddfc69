import type { ImageSource, Sample } from '../../data/dataset.ts';
import { rankGallery } from '../../retrieval/evaluate.ts';
import type { Evaluation, RetrievalTask } from '../../models/evaluation.ts';
import type { ContactSheetRow, SheetImage } from './contact-sheet.ts';

/** Classes on the sheet, and pictures for the query of each. */
const ROWS = 12;
const COLUMNS = 10;
/** Side of a report's images in pixels; a screen's, whatever the network saw. */
export const PICTURE_SIZE = 96;

/**
 * The queries of a sheet, by a rule that leaves nothing to choose: the first query of each of twelve classes, or of all
 * where there are fewer, which are evenly spaced in the order of their names.
 * @returns indices into the queries
 */
export function sheetQueries(queries: readonly Sample[]): number[] {
  const first = new Map<string, number>();
  for (const [index, { className }] of queries.entries()) if (!first.has(className)) first.set(className, index);
  const classes = [...first.keys()].sort();
  const count = Math.min(ROWS, classes.length);
  return Array.from(
    { length: count },
    (_, row) => first.get(classes[Math.floor((row * classes.length) / count)]) as number,
  );
}

/**
 * The queries of `sheetQueries`, each with its best pictures.
 * @param images that give pictures of PICTURE_SIZE
 */
export async function retrievalSheet(
  { queries, gallery }: Pick<RetrievalTask, 'queries' | 'gallery'>,
  embedded: Evaluation,
  images: ImageSource,
): Promise<ContactSheetRow[]> {
  const dimension = embedded.gallery.length / gallery.length;
  const rows = sheetQueries(queries);
  const image = async (sample: Sample): Promise<SheetImage> => ({
    pixels: await images.read(sample, PICTURE_SIZE),
    size: PICTURE_SIZE,
  });
  return Promise.all(
    rows.map(async (query): Promise<ContactSheetRow> => {
      const { className } = queries[query];
      const ranked = rankGallery(
        embedded.queries.slice(query * dimension, (query + 1) * dimension),
        embedded.gallery,
        dimension,
        COLUMNS + 1,
      );
      const found = ranked.filter(({ index }) => index !== embedded.labels.excluded?.[query]).slice(0, COLUMNS);
      const results = await Promise.all(
        found.map(async ({ index, score }) => ({
          ...(await image(gallery[index])),
          label: gallery[index].className,
          hit: gallery[index].className === className,
          score,
        })),
      );
      return { label: className, query: await image(queries[query]), results };
    }),
  );
}
