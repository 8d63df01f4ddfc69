// Searches, in Node or in Deno, the page's index by picture files: MODEL INDEX PICTURE ... Prints, as JSON, each picture's embedding
// and the names of its ten best.
import { readFile } from 'node:fs/promises';
import { decodeImage } from '../../src/platform/node/images.ts';
import { openDevice, releaseGpu } from '../../src/platform/adapter.ts';
import { openIndex } from '../../src/retrieval/index-file.ts';
import { rankGallery } from '../../src/retrieval/evaluate.ts';
import { parseModel } from '../../src/training/checkpoint.ts';
import { modelEmbeddings, openRetrievalModel } from '../../src/training/model.ts';

export interface Answer {
  readonly embedding: readonly number[];
  readonly tenBest: readonly string[];
}

/** As many at once as the page embeds. */
const BATCH = 16;

const [modelFile, indexFile, ...pictures] = process.argv.slice(2);
const index = openIndex(await readFile(indexFile), indexFile);
const device = await openDevice();
const rows = await modelEmbeddings(openRetrievalModel(device, await parseModel(await readFile(modelFile), modelFile), modelFile), BATCH);
const samples = pictures.map((name) => ({ domain: 'sketch' as const, className: '', name }));
const embeddings = await rows.compute(samples, { read: ({ name }, size) => decodeImage(name, size) });
const answers = pictures.map((_, row): Answer => {
  const embedding = embeddings.slice(row * rows.width, (row + 1) * rows.width);
  return { embedding: [...embedding], tenBest: rankGallery(embedding, index.embeddings, rows.width, 10).map((best) => index.paths[best.index]) };
});
console.log(JSON.stringify(answers));
device.dispose();
releaseGpu();
