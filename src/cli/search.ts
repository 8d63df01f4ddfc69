import path from 'node:path';
import { writeFileAtomically } from '../platform/node/files.ts';
import { decodeImage, ImageError } from '../platform/node/images.ts';
import { encode } from '../retrieval/binary-codes.ts';
import { rankCodes, rankGallery } from '../retrieval/evaluate.ts';
import { assertSameModel, openIndex, type RetrievalIndex } from '../retrieval/index-file.ts';
import { modelEmbeddings, openRetrievalModel, readModelDescription } from '../training/model.ts';
import { defineCommand, SHARED_OPTIONS } from './command.ts';
import { renderContactSheet, type ContactSheetRow } from './contact-sheet.ts';
import { closeCommandDevice, openCommandDevice } from './device.ts';
import { embedFiles } from './image-files.ts';
import { readGivenFile, readModelFile, SEARCH_MODEL_OPTION, searchModelPath } from './model-file.ts';
import { choice, integer, OptionError, text, toggle } from './options.ts';
import { checkPrecision, PRECISION_OPTION } from './precision.ts';
import { note, printText } from './progress.ts';
import { textTable } from './text-table.ts';
import { checkTuning, openTuner, TUNING_OPTIONS } from './tuning.ts';

export const SEARCH_OPTIONS = {
  model: SEARCH_MODEL_OPTION,
  index: text({ placeholder: 'file', default: 'index.safetensors', help: 'The index that sketchgrad embed made with this model' }),
  by: choice(['cosine', 'codes'], { default: 'cosine', help: "Rank by cosine, or by the Hamming distance of the index's binary codes (sketchgrad embed --codes)" }),
  top: integer({ minimum: 1, default: 10, help: 'Pictures to show for each sketch' }),
  json: toggle({ help: 'Print JSON instead of tables' }),
  sheet: text({ placeholder: 'file.png', help: 'Draw a contact sheet of the sketches and their pictures' }),
  precision: PRECISION_OPTION,
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

interface Found {
  readonly sketch: string;
  readonly results: readonly { readonly rank: number; /** A cosine; by codes, that of the corners which they stand for. */ readonly score: number; /** By codes, the Hamming distance. */ readonly distance?: number; readonly path: string }[];
}

/** Side of the images on the contact sheet, in pixels. */
const SHEET_IMAGE = 112;
/** Grey level in place of a picture that is gone. */
const GONE = 200;

export const searchCommand = defineCommand({
  name: 'search',
  summary: 'Search an index by one sketch or more',
  options: SEARCH_OPTIONS,
  positionals: { name: 'sketch', help: 'Image files of sketches, black on white' },
  async run({ model: givenModel, index: indexPath, by, top, json, sheet, adapter, precision, ...tuning }, { positionals: sketches }) {
    checkTuning(tuning);
    const modelPath = searchModelPath(givenModel);
    const file = await readModelFile(modelPath, '--model');
    readModelDescription(file, modelPath);
    const index = openIndex(await readGivenFile(indexPath, '--index'), indexPath);
    assertSameModel(index, file.checksum);
    if (by === 'codes' && index.codes === undefined) throw new OptionError(`--by codes: ${indexPath} has no binary codes; make it again with sketchgrad embed --codes 64`);
    const device = await openCommandDevice(adapter);
    try {
      checkPrecision(device, precision);
      const model = openRetrievalModel(device, file, modelPath, await openTuner(device, tuning), precision);
      const rows = await modelEmbeddings(model, Math.min(sketches.length, 8));
      // A sketch that cannot be read is a mistake in the command, and not a damaged file in a collection.
      const { embeddings } = await embedFiles(rows, sketches, { strict: true });
      const found = sketches.map((sketch, row): Found => {
        const embedding = embeddings.slice(row * rows.width, (row + 1) * rows.width);
        return { sketch, results: by === 'codes' ? foundByCodes(index, embedding, top) : foundByCosine(index, embedding, top) };
      });
      printText(json ? `${JSON.stringify(found, null, 1)}\n` : `${found.map(foundText).join('\n\n')}\n`);
      if (sheet !== undefined) {
        await writeFileAtomically(sheet, await renderContactSheet(await Promise.all(found.map((each) => sheetRow(each, indexPath)))));
        note(`contact sheet: ${sheet}`);
      }
      rows.destroy();
      model.storage.destroy();
    } finally {
      closeCommandDevice(device);
    }
  },
});

function foundByCosine({ embeddings, dimension, paths }: RetrievalIndex, embedding: Float32Array, top: number): Found['results'] {
  return rankGallery(embedding, embeddings, dimension, top).map(({ index, score }, rank) => ({ rank: rank + 1, score, path: paths[index] }));
}

function foundByCodes({ codes, paths }: RetrievalIndex, embedding: Float32Array, top: number): Found['results'] {
  const { coder, rows } = codes!;
  return rankCodes(encode(coder, embedding), rows, top).map(({ index, score }, rank) => ({ rank: rank + 1, score: 1 + (2 * score) / coder.bits, distance: 0 - score, path: paths[index] }));
}

function foundText({ sketch, results }: Found): string {
  const byCodes = results.some(({ distance }) => distance !== undefined);
  return `${sketch}\n${textTable(['rank', byCodes ? 'bits off' : 'cosine', 'picture'], results.map(({ rank, score, distance, path: picture }) => [String(rank).padStart(4), distance === undefined ? score.toFixed(4) : String(distance).padStart(8), picture]), { left: 3 })}`;
}

/**
 * Nothing is known of a stranger's classes, so no picture is marked as a hit. A picture that is gone is shown as a grey square.
 * @param indexPath paths of an index begin where `sketchgrad embed` ran, which often is the folder of the index
 */
export async function sheetRow({ sketch, results }: Found, indexPath: string): Promise<ContactSheetRow> {
  const found = await Promise.all(results.map(async ({ path: file, score }) => ({ ...(await pictureOf(file, indexPath)), label: labelOf(file), hit: false, score })));
  return { label: path.parse(sketch).name, query: { pixels: await decodeImage(sketch, SHEET_IMAGE), size: SHEET_IMAGE }, results: found };
}

async function pictureOf(file: string, indexPath: string): Promise<{ pixels: Uint8Array; size: number }> {
  const besideIndex = path.resolve(path.dirname(indexPath), file);
  const pixels = await decodeImage(file, SHEET_IMAGE).catch(() => decodeImage(besideIndex, SHEET_IMAGE)).catch((error: unknown) => {
    if (!(error instanceof ImageError)) throw error;
    note(`${file} is not on the sheet: neither it nor ${besideIndex} can be decoded`);
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
