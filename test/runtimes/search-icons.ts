// Searches, in Node or in Deno, the page's icons by files of drawings, by the library's own functions: MODEL INDEX
// DRAWING ... Prints the names of each drawing's first icons as JSON.
import { readFile } from 'node:fs/promises';
import { fewestPipelines } from '../../src/autodiff/fewest-pipelines.ts';
import { openDevice, releaseGpu } from '../../src/platform/adapter.ts';
import { decodeSketch } from '../../src/platform/node/images.ts';
import { iconId, openIconIndex } from '../../src/retrieval/icon-index.ts';
import { IconRanking } from '../../src/retrieval/icon-ranking.ts';
import { parseModel } from '../../src/models/model-file.ts';
import { modelEmbeddings } from '../../src/models/image-rows.ts';
import { openRetrievalModel } from '../../src/models/retrieval-model.ts';

const TOP = 10;

const [modelFile, indexFile, ...drawings] = process.argv.slice(2);
const index = await openIconIndex(await readFile(indexFile), indexFile);
const ranking = new IconRanking(index);
const device = await openDevice();
// One at a time and by the same variants, as the page does.
const rows = await modelEmbeddings(
  openRetrievalModel(device, await parseModel(await readFile(modelFile), modelFile), modelFile, fewestPipelines),
  1,
);
const samples = drawings.map((name) => ({ domain: 'sketch' as const, className: '', name }));
const embeddings = await rows.compute(samples, { read: ({ name }, size) => decodeSketch(name, size, 'icon') });
console.log(
  JSON.stringify(
    drawings.map((_, row) =>
      ranking
        .rank(embeddings.slice(row * rows.width, (row + 1) * rows.width), TOP)
        .map((best) => iconId(index, best.index)),
    ),
  ),
);
device.dispose();
releaseGpu();
