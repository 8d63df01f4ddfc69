import path from 'node:path';
import { ensureAdapter, openDevice } from '../platform/adapter.ts';
import { writeFileAtomically } from '../platform/node/files.ts';
import { decodeImage } from '../platform/node/images.ts';
import { assertSameModel, openIndex } from '../retrieval/index-file.ts';
import { rankGallery } from '../retrieval/metrics.ts';
import { modelEmbeddings, openRetrievalModel, readModelDescription } from '../training/model.ts';
import { defineCommand, SHARED_OPTIONS } from './command.ts';
import { renderContactSheet, type ContactSheetRow } from './contact-sheet.ts';
import { embedFiles } from './image-files.ts';
import { MODEL_OPTION, readGivenFile, readModelFile } from './model-file.ts';
import { integer, text, toggle } from './options.ts';
import { note } from './progress.ts';
import { textTable } from './text-table.ts';
import { checkTuning, openTuner, TUNING_OPTIONS } from './tuning.ts';

export const SEARCH_OPTIONS = {
  model: MODEL_OPTION,
  index: text({ placeholder: 'file', default: 'index.safetensors', help: 'The index that sketchgrad embed made with this model' }),
  top: integer({ minimum: 1, default: 10, help: 'Pictures to show for each sketch' }),
  json: toggle({ help: 'Print JSON instead of tables' }),
  sheet: text({ placeholder: 'file.png', help: 'Draw a contact sheet of the sketches and their pictures' }),
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

interface Found {
  readonly sketch: string;
  readonly results: readonly { readonly rank: number; readonly score: number; readonly path: string }[];
}

/** Side of the images on the contact sheet, in pixels. */
const SHEET_IMAGE = 112;

export const searchCommand = defineCommand({
  name: 'search',
  summary: 'Search an index by one sketch or more',
  options: SEARCH_OPTIONS,
  positionals: { name: 'sketch', help: 'Image files of sketches, black on white' },
  async run({ model: modelPath, index: indexPath, top, json, sheet, adapter, ...tuning }, { positionals: sketches }) {
    checkTuning(tuning);
    const file = await readModelFile(modelPath, '--model');
    readModelDescription(file, modelPath);
    const index = openIndex(await readGivenFile(indexPath, '--index'), indexPath);
    assertSameModel(index, file.checksum);
    await ensureAdapter(adapter);
    const device = await openDevice(adapter);
    try {
      const model = openRetrievalModel(device, file, modelPath, await openTuner(device, tuning));
      const rows = await modelEmbeddings(model, Math.min(sketches.length, 8));
      // A sketch that cannot be read is a mistake in the command, and not a damaged file in a collection.
      const { embeddings } = await embedFiles(rows, sketches, { strict: true });
      const found = sketches.map((sketch, row): Found => {
        const ranked = rankGallery(embeddings.slice(row * rows.width, (row + 1) * rows.width), index.embeddings, rows.width, top);
        return { sketch, results: ranked.map((item, rank) => ({ rank: rank + 1, score: item.score, path: index.paths[item.index] })) };
      });
      process.stdout.write(json ? `${JSON.stringify(found, null, 1)}\n` : `${found.map(foundText).join('\n\n')}\n`);
      if (sheet !== undefined) {
        await writeFileAtomically(sheet, await renderContactSheet(await Promise.all(found.map(sheetRow))));
        note(`contact sheet: ${sheet}`);
      }
      rows.destroy();
      model.storage.destroy();
    } finally {
      device.dispose();
    }
  },
});

function foundText({ sketch, results }: Found): string {
  return `${sketch}\n${textTable(['rank', 'cosine', 'picture'], results.map(({ rank, score, path: picture }) => [String(rank).padStart(4), score.toFixed(4), picture]), { left: 3 })}`;
}

/** Nothing is known of a stranger's classes, so no picture is marked as a hit. */
async function sheetRow({ sketch, results }: Found): Promise<ContactSheetRow> {
  const image = async (file: string): Promise<{ pixels: Uint8Array; size: number }> => ({ pixels: await decodeImage(file, SHEET_IMAGE), size: SHEET_IMAGE });
  return {
    label: path.parse(sketch).name,
    query: await image(sketch),
    results: await Promise.all(results.map(async (result) => ({ ...(await image(result.path)), label: path.parse(result.path).name, hit: false, score: result.score }))),
  };
}
