// Searches, in Node or in Deno, the page's index by sketches in files: MODEL INDEX PICTURE ... Prints, as JSON, each
// one's embedding as a picture, and the names of the ten best for it as a sketch.
import { readFile } from 'node:fs/promises';
import { fewestPipelines } from '../../src/autodiff/fewest-pipelines.ts';
import { decodeImage, decodeSketch } from '../../src/platform/node/images.ts';
import { openDevice, releaseGpu } from '../../src/platform/adapter.ts';
import { openIndex } from '../../src/retrieval/index-file.ts';
import { rankGallery } from '../../src/retrieval/evaluate.ts';
import { parseModel } from '../../src/models/model-file.ts';
import { modelEmbeddings } from '../../src/models/image-rows.ts';
import { openRetrievalModel } from '../../src/models/retrieval-model.ts';

export interface Answer {
  readonly embedding: readonly number[];
  readonly tenBest: readonly string[];
}

const [modelFile, indexFile, ...pictures] = process.argv.slice(2);
const index = openIndex(await readFile(indexFile), indexFile);
const device = await openDevice();
// One at a time and by the same variants, as the page does.
const model = openRetrievalModel(
  device,
  await parseModel(await readFile(modelFile), modelFile),
  modelFile,
  fewestPipelines,
);
const rows = await modelEmbeddings(model, 1);
const samples = pictures.map((name) => ({ domain: 'sketch' as const, className: '', name }));
const embeddings = await rows.compute(samples, { read: ({ name }, size) => decodeImage(name, size) });
const queries = await rows.compute(samples, { read: ({ name }, size) => decodeSketch(name, size, model.sketches) });
const answers = pictures.map((_, place): Answer => {
  const row = (values: Float32Array): Float32Array => values.slice(place * rows.width, (place + 1) * rows.width);
  return {
    embedding: [...row(embeddings)],
    tenBest: rankGallery(row(queries), index.embeddings, rows.width, 10).map((best) => index.paths[best.index]),
  };
});
console.log(JSON.stringify(answers));
device.dispose();
releaseGpu();
