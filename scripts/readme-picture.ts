// npx tsx scripts/readme-picture.ts [--adapter lavapipe] Writes docs/contact-sheet.png, the picture of the README: what
// the shipped model finds for sketches of classes that it never saw. The queries are chosen by the rule of
// src/cli/display/retrieval-sheet.ts, not by hand.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadEmoji } from '../datasets/emoji.ts';
import { renderContactSheet } from '../src/cli/display/contact-sheet.ts';
import { readModelFile, searchModelPath } from '../src/cli/files/model-file.ts';
import { PICTURE_SIZE, retrievalSheet } from '../src/cli/display/retrieval-sheet.ts';
import { ensureAdapter, openDevice, releaseGpu, type AdapterChoice } from '../src/platform/adapter.ts';
import { evaluateNetwork, unseenTask } from '../src/models/evaluation.ts';
import { modelEmbeddings } from '../src/models/image-rows.ts';
import { openRetrievalModel } from '../src/models/retrieval-model.ts';

const { values } = parseArgs({ options: { adapter: { type: 'string', default: 'auto' } } });
await ensureAdapter(values.adapter as AdapterChoice);
const device = await openDevice('auto', { unsafe: true });
const path = searchModelPath(undefined);
const model = openRetrievalModel(device, await readModelFile(path, '--model'), path);
const dataset = await loadEmoji({ size: model.imageSize });
const embeddings = await modelEmbeddings(model);
const evaluation = await evaluateNetwork(embeddings, unseenTask(dataset), dataset.images);
const { images } = await loadEmoji({ size: PICTURE_SIZE });
const rows = await retrievalSheet(dataset, evaluation, images);
await writeFile(fileURLToPath(new URL('../docs/contact-sheet.png', import.meta.url)), await renderContactSheet(rows));
console.log(
  `${rows.length} queries: ${rows.map(({ label }) => label).join(', ')}; mAP@all of all queries ${evaluation.metrics.mapAll.toFixed(4)}`,
);
embeddings.destroy();
model.storage.destroy();
device.dispose();
releaseGpu();
