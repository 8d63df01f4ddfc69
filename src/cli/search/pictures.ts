import path from 'node:path';
import { decodeImage, ImageError } from '../../platform/node/images.ts';
import { PictureReader } from '../../platform/node/picture-sources/reader.ts';
import { encode } from '../../retrieval/binary-codes.ts';
import { markBelow } from '../../retrieval/cut-off.ts';
import { rankCodes, rankGallery } from '../../retrieval/evaluate.ts';
import { rerank } from '../../retrieval/rerank.ts';
import { pictureMask, type PictureFilter } from '../../retrieval/picture-filter.ts';
import { assertSameModel } from '../../retrieval/index-file.ts';
import { openStore } from '../../stores/open-store.ts';
import type { ContactSheetRow } from '../display/contact-sheet.ts';
import { readGivenIndex } from '../files/given-index.ts';
import { OptionError } from '../options/option.ts';
import { refusingFilter } from '../options/pictures.ts';
import { note } from '../display/progress.ts';
import {
  GONE,
  rankWithout,
  sheetQuery,
  SHEET_IMAGE,
  type FoundBySketch,
  type SearchedIndex,
} from './searched-index.ts';
import { textTable } from '../display/text-table.ts';

/** A picture that was found. */
export interface FoundPicture {
  readonly rank: number;
  /** A cosine; by codes, that of the corners of the cube that they represent. */
  readonly score: number;
  /** By codes, the Hamming distance. */
  readonly distance?: number;
  readonly path: string;
  readonly belowCutOff?: boolean;
}

/**
 * Opens an index of pictures.
 * @param rerank of the nearest codes, so many are ranked by their cosines
 * @param cutOff of cosines; codes have none
 */
export async function openSearchedPictures(
  file: string,
  checksum: string,
  { by, rerank: candidates }: { readonly by: 'cosine' | 'codes'; readonly rerank?: number },
  cutOff: number | undefined,
  filter: PictureFilter = {},
): Promise<SearchedIndex<FoundPicture>> {
  const index = await readGivenIndex(file, '--index');
  assertSameModel(index, checksum);
  const { codes, paths, embeddings, dimension } = index;
  if (by === 'codes' && codes === undefined)
    throw new OptionError(`--by codes: ${file} has no binary codes; make it again with sketchgrad embed --codes 64`);
  const mask = refusingFilter(() => pictureMask(index, filter));
  return {
    find(embedding, top, without = []) {
      if (by === 'codes') {
        const { coder, rows } = codes!;
        const code = encode(coder, embedding);
        if (candidates !== undefined) {
          const nearest = rankCodes(code, rows, Math.max(candidates, top + without.length), mask);
          const ranked = rankWithout(
            (k) =>
              rerank(
                embedding,
                embeddings,
                dimension,
                nearest.map(({ index: row }) => row),
                k,
              ),
            top,
            without,
          );
          return foundByCosine(
            ranked.map(({ index: row, score }) => ({ score, path: paths[row] })),
            cutOff,
          );
        }
        return {
          nothingLike: false,
          results: rankWithout((k) => rankCodes(code, rows, k, mask), top, without).map(
            ({ index: row, score }, rank) => ({
              rank: rank + 1,
              score: 1 + (2 * score) / coder.bits,
              distance: 0 - score,
              path: paths[row],
            }),
          ),
        };
      }
      const ranked = rankWithout((k) => rankGallery(embedding, embeddings, dimension, k, mask), top, without);
      return foundByCosine(
        ranked.map(({ index: row, score }) => ({ score, path: paths[row] })),
        cutOff,
      );
    },
    like(name) {
      const row = paths.indexOf(name);
      if (row < 0) throw new OptionError(`--like: ${file} has no picture ${name}; its paths are such as ${paths[0]}`);
      return { row, embedding: embeddings.slice(row * dimension, (row + 1) * dimension) };
    },
    table: (results) => picturesTable(results, candidates === undefined ? by : 'cosine', cutOff),
    sheetRow: (found) => sheetRow(found, file),
  };
}

/** Opens a store of pictures. @param address as `openStore` takes it */
export async function openSearchedStore(
  address: string,
  modelChecksum: string,
  cutOff: number | undefined,
  filter: PictureFilter,
): Promise<SearchedIndex<FoundPicture>> {
  const store = await openStore(address, { modelChecksum });
  return {
    find: async (embedding, top) => foundByCosine(await store.search(embedding, top, filter), cutOff),
    table: (results) => picturesTable(results, 'cosine', cutOff),
    // Paths begin where the process runs.
    sheetRow: (found) => sheetRow(found, '.'),
    close: () => store.close(),
  };
}

/** @param ranked best first */
function foundByCosine(
  ranked: readonly { readonly score: number; readonly path: string }[],
  cutOff: number | undefined,
): Omit<FoundBySketch<FoundPicture>, 'sketches'> {
  const { nothingLike, results } = markBelow(
    ranked.map(({ score, path: picture }, rank) => ({ rank: rank + 1, score, path: picture, similarity: score })),
    cutOff,
  );
  return {
    nothingLike,
    results: results.map(({ rank, score, path: picture, belowCutOff }) => ({
      rank,
      score,
      path: picture,
      ...(belowCutOff && { belowCutOff }),
    })),
  };
}

function picturesTable(results: readonly FoundPicture[], by: 'cosine' | 'codes', cutOff: number | undefined): string {
  const headings = [
    'rank',
    by === 'codes' ? 'bits off' : 'cosine',
    'picture',
    ...(cutOff === undefined || by === 'codes' ? [] : ['cut-off']),
  ];
  return textTable(
    headings,
    results.map(({ rank, score, distance, path: picture, belowCutOff }) =>
      [
        String(rank).padStart(4),
        distance === undefined ? score.toFixed(4) : String(distance).padStart(8),
        picture,
        belowCutOff === true ? 'below' : '',
      ].slice(0, headings.length),
    ),
    { left: 3 },
  );
}

/**
 * Nothing is known of a stranger's classes, so no picture is marked as a hit. A picture that is gone is shown as a gray
 * square.
 * @param indexPath files and tar archives of an index begin where `sketchgrad embed` ran, which often is the folder of the index
 */
export async function sheetRow(
  { sketches, results }: Pick<FoundBySketch<FoundPicture>, 'sketches' | 'results'>,
  indexPath: string,
): Promise<ContactSheetRow> {
  const reader = new PictureReader(['.', path.dirname(indexPath)]);
  const found = await Promise.all(
    results.map(async ({ path: file, score }) => ({
      ...(await pictureOf(file, reader)),
      label: labelOf(file),
      hit: false,
      score,
    })),
  );
  return { ...(await sheetQuery(sketches)), results: found };
}

async function pictureOf(file: string, reader: PictureReader): Promise<{ pixels: Uint8Array; size: number }> {
  const pixels = await reader
    .read(file)
    .then((bytes) => decodeImage(bytes, SHEET_IMAGE, file))
    .catch((error: unknown) => {
      if (!(error instanceof ImageError)) throw error;
      note(`${file} is not on the sheet: ${error.message}`);
      return new Uint8Array(3 * SHEET_IMAGE ** 2).fill(GONE);
    });
  return { pixels, size: SHEET_IMAGE };
}

/** Files of many folders have one name, such as 1.jpg; the folder often is the class. */
function labelOf(file: string): string {
  const { dir, name } = path.parse(file);
  const folder = path.basename(dir);
  return folder === '' ? name : `${folder}/${name}`;
}
