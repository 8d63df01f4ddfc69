import { ensureAdapter, openDevice } from '../platform/adapter.ts';
import { writeFileAtomically } from '../platform/node/files.ts';
import { serializeIndex } from '../retrieval/index-file.ts';
import { modelEmbeddings, openRetrievalModel, readModelDescription } from '../training/model.ts';
import { defineCommand, SHARED_OPTIONS } from './command.ts';
import { reportSkipped } from './data.ts';
import { embedFiles, findImages } from './image-files.ts';
import { MODEL_OPTION, readModelFile } from './model-file.ts';
import { OptionError, text, toggle } from './options.ts';
import { Progress } from './progress.ts';
import { checkTuning, openTuner, TUNING_OPTIONS } from './tuning.ts';

export const EMBED_OPTIONS = {
  model: MODEL_OPTION,
  images: text({ placeholder: 'folder', required: true, help: 'Pictures to be searched, in this folder and the folders in it' }),
  out: text({ placeholder: 'file', default: 'index.safetensors', help: 'The index that is written' }),
  strict: toggle({ help: 'Stop at an image that cannot be decoded, instead of skipping it' }),
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

export const embedCommand = defineCommand({
  name: 'embed',
  summary: 'Make an index of a folder of pictures, to be searched by sketch',
  options: EMBED_OPTIONS,
  async run({ model: path, images, out, strict, adapter, ...tuning }) {
    checkTuning(tuning);
    const files = await findImages(images, '--images');
    const file = await readModelFile(path, '--model');
    readModelDescription(file, path);
    await ensureAdapter(adapter);
    const device = await openDevice(adapter);
    const progress = new Progress('embedding');
    try {
      const model = openRetrievalModel(device, file, path, await openTuner(device, tuning));
      const rows = await modelEmbeddings(model);
      const { paths, embeddings, skipped } = await embedFiles(rows, files, { strict, onProgress: (done) => progress.update(done, files.length) });
      progress.stop();
      reportSkipped(skipped);
      if (paths.length === 0) throw new OptionError(`--images: none of the ${files.length} images in ${images} can be decoded, so there is no index`);
      await writeFileAtomically(out, serializeIndex({ embeddings, dimension: rows.width, paths, modelChecksum: file.checksum }));
      process.stdout.write(`${out}: ${paths.length} pictures, ${rows.width} components each, of the model ${file.checksum.slice(0, 16)}\n`);
      rows.destroy();
      model.storage.destroy();
    } finally {
      progress.stop();
      device.dispose();
    }
  },
});
