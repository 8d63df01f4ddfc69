// npx tsx scripts/build-web-assets.ts MODEL [--adapter lavapipe] Makes what the page in web/ comes with: the model as
// 16-bit floats, the pictures of the emoji's unseen classes on one sheet, and their index. The results are committed,
// so that building the page needs no adapter. The icons' index belongs to the model as well: run
// scripts/build-web-icons.ts next.
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { loadEmoji } from '../datasets/emoji.ts';
import { ensureAdapter, openDevice, releaseGpu, type AdapterChoice } from '../src/platform/adapter.ts';
import { serializeIndex } from '../src/retrieval/index-file.ts';
import { parseModel, serializeModel } from '../src/models/model-file.ts';
import { modelEmbeddings } from '../src/models/image-rows.ts';
import { openRetrievalModel } from '../src/models/retrieval-model.ts';

/** Side of a picture on the sheet, in pixels, and pictures in a row of it. */
const TILE = 64;
const COLUMNS = 32;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { adapter: { type: 'string', default: 'auto' } },
});
const [source] = positionals;
if (source === undefined) throw new Error('name the model that sketchgrad train or npm start wrote');
await ensureAdapter(values.adapter as AdapterChoice);
const target = (name: string): string => fileURLToPath(new URL(`../web/public/${name}`, import.meta.url));
await mkdir(target(''), { recursive: true });

const trained = await parseModel(await readFile(source), source);
const {
  state,
  about: { kind, imageSize, pixels, sketches, views, similarity, network, classes, unseenClasses },
} = trained;
// The page uses only the names of the training's classes. A model that was not calibrated has no
// similarity.
const about = {
  kind,
  imageSize,
  network,
  classes,
  unseenClasses,
  ...(pixels === undefined ? {} : { pixels }),
  ...(sketches === undefined ? {} : { sketches }),
  ...(views === undefined ? {} : { views }),
  ...(similarity === undefined ? {} : { similarity }),
};
const bytes = await serializeModel({ state, about }, 'F16');
await writeFile(target('model.safetensors'), bytes);

const model = await parseModel(bytes, 'model.safetensors');
const device = await openDevice(values.adapter as AdapterChoice, { unsafe: true });
const { gallery, images, unseenClasses: classesShown } = await loadEmoji({ size: Number(imageSize) });
const rows = await modelEmbeddings(openRetrievalModel(device, model, 'model.safetensors'));
const embeddings = await rows.compute(gallery, images);
const names = gallery.map(({ className }) => className);
await writeFile(
  target('index.safetensors'),
  serializeIndex({ embeddings, dimension: rows.width, paths: names, modelChecksum: model.checksum }),
);
rows.destroy();
device.dispose();
releaseGpu();

const shown = await loadEmoji({ size: TILE });
const tiles = await Promise.all(
  gallery.map(async (sample, index) => ({
    input: Buffer.from(await shown.images.read(sample, TILE)),
    raw: { width: TILE, height: TILE, channels: 3 as const },
    left: (index % COLUMNS) * TILE,
    top: Math.floor(index / COLUMNS) * TILE,
  })),
);
await sharp({
  create: {
    width: COLUMNS * TILE,
    height: Math.ceil(gallery.length / COLUMNS) * TILE,
    channels: 3,
    background: '#ffffff',
  },
})
  .composite(tiles)
  .webp({ quality: 85 })
  .toFile(target('emoji.webp'));
await writeFile(
  target('emoji.json'),
  JSON.stringify({ tile: TILE, columns: COLUMNS, classes: classesShown.length, names }),
);
await copyFile(
  fileURLToPath(new URL('../datasets/emoji-attribution.md', import.meta.url)),
  target('emoji-attribution.md'),
);
console.log(
  `${gallery.length} pictures, model ${model.checksum}; next: npx tsx scripts/build-web-icons.ts --root FOLDER, and npx tsx scripts/record-icon-drawings.ts`,
);
