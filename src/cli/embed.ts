import type { Dataset } from '../data/dataset.ts';
import { writeFileAtomically } from '../platform/node/files.ts';
import { encode, fitBinaryCoder } from '../retrieval/binary-codes.ts';
import {
  assertSameModel,
  openIndex,
  serializeIndex,
  type IndexedCodes,
  type RetrievalIndex,
} from '../retrieval/index-file.ts';
import { modelEmbeddings, openRetrievalModel, readModelDescription, type ImageRows } from '../training/model.ts';
import { defineCommand, SHARED_OPTIONS } from './command.ts';
import { DATA_OPTIONS, openPublished, reportSkipped } from './data.ts';
import { closeCommandDevice, openCommandDevice } from './device.ts';
import { embedFiles, findImages, type EmbeddedFiles } from './image-files.ts';
import { namesIn, readGivenFile, readModelFile, SEARCH_MODEL_OPTION, searchModelPath } from './model-file.ts';
import { choice, integer, OptionError, text, toggle } from './options.ts';
import { checkPrecision, PRECISION_OPTION } from './precision.ts';
import { printText, Progress } from './progress.ts';
import { checkTuning, openTuner, TUNING_OPTIONS } from './tuning.ts';

export const EMBED_OPTIONS = {
  model: SEARCH_MODEL_OPTION,
  images: text({ placeholder: 'folder', help: 'Pictures to be searched, in this folder and the folders in it' }),
  data: text({ placeholder: 'folder', help: "In place of --images, a published set's folder (sketchgrad data how)" }),
  split: DATA_OPTIONS.split,
  part: choice(['gallery', 'queries', 'train', 'validation'], {
    default: 'gallery',
    help: 'Which part of the set: gallery and queries are the photos and sketches of unseen classes',
  }),
  drawings: DATA_OPTIONS.drawings,
  pixelCache: DATA_OPTIONS.pixelCache,
  out: text({ placeholder: 'file', default: 'index.safetensors', help: 'The index that is written' }),
  codes: integer({
    minimum: 1,
    maximum: 4095,
    help: 'Binary codes of so many bits as well (64 is usual), by which search can rank',
  }),
  codesFit: text({
    placeholder: 'index',
    help: 'The index of other pictures, of seen classes say, that the codes are fitted on; left out, the pictures themselves',
  }),
  strict: toggle({ help: 'Stop at an image that cannot be decoded, instead of skipping it' }),
  precision: PRECISION_OPTION,
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

export const embedCommand = defineCommand({
  name: 'embed',
  summary: 'Make an index of a folder of pictures, to be searched by sketch',
  options: EMBED_OPTIONS,
  async run({
    model: givenModel,
    images,
    data,
    split,
    part,
    drawings,
    pixelCache,
    out,
    codes: bits,
    codesFit,
    strict,
    adapter,
    precision,
    ...tuning
  }) {
    checkTuning(tuning);
    const path = searchModelPath(givenModel);
    if ((images === undefined) === (data === undefined))
      throw new OptionError('--images or --data is needed, and not both: a folder of pictures, or a published set');
    const files = images === undefined ? [] : await findImages(images, '--images');
    const file = await readModelFile(path, '--model');
    const { imageSize, sketches } = readModelDescription(file, path);
    const fitOn = await readFitIndex(codesFit, bits, file.checksum);
    const device = await openCommandDevice(adapter);
    const progress = new Progress('embedding');
    try {
      checkPrecision(device, precision);
      const model = openRetrievalModel(device, file, path, await openTuner(device, tuning), precision);
      const rows = await modelEmbeddings(model);
      const { paths, embeddings, skipped } =
        data === undefined
          ? await embedFiles(rows, files, { strict, onProgress: (done) => progress.update(done, files.length) })
          : await embedPart(
              rows,
              await openPublished({
                data,
                split,
                drawings,
                pixelCache,
                unseenClasses: namesIn(file, 'unseenClasses'),
                imageSize,
                sketches,
              }),
              part,
              (done, total) => progress.update(done, total),
            );
      progress.stop();
      reportSkipped(skipped);
      if (paths.length === 0)
        throw new OptionError(
          `--images: none of the ${files.length} images in ${images} can be decoded, so there is no index`,
        );
      const codes =
        bits === undefined
          ? undefined
          : codesOf(
              embeddings,
              rows.width,
              bits,
              fitOn?.embeddings ?? embeddings,
              codesFit ?? 'the pictures themselves',
            );
      await writeFileAtomically(
        out,
        serializeIndex({ embeddings, dimension: rows.width, paths, modelChecksum: file.checksum, codes }),
      );
      const withCodes = codes === undefined ? '' : `, and codes of ${bits} bits fitted on ${codes.fittedOn}`;
      printText(
        `${out}: ${paths.length} pictures, ${rows.width} components each${withCodes}, of the model ${file.checksum.slice(0, 16)}\n`,
      );
      rows.destroy();
      model.storage.destroy();
    } finally {
      progress.stop();
      closeCommandDevice(device);
    }
  },
});

/** Embeds a part of a data set. @throws ImageError for the first image that cannot be decoded */
async function embedPart(
  rows: ImageRows,
  dataset: Dataset,
  part: 'gallery' | 'queries' | 'train' | 'validation',
  onProgress: (done: number, total: number) => void,
): Promise<EmbeddedFiles> {
  const samples = dataset[part];
  if (samples.length === 0) throw new OptionError(`--part: there is no image in the part ${part} of ${dataset.name}`);
  return {
    paths: samples.map(({ name }) => name),
    embeddings: await rows.compute(samples, dataset.images, (done) => onProgress(done, samples.length)),
    skipped: [],
  };
}

async function readFitIndex(
  file: string | undefined,
  bits: number | undefined,
  modelChecksum: string,
): Promise<RetrievalIndex | undefined> {
  if (file === undefined) return undefined;
  if (bits === undefined)
    throw new OptionError(
      '--codes-fit says what codes are fitted on, and there are none; give their length as well, such as --codes 64',
    );
  const index = openIndex(await readGivenFile(file, '--codes-fit'), file);
  assertSameModel(index, modelChecksum);
  return index;
}

function codesOf(
  embeddings: Float32Array,
  dimension: number,
  bits: number,
  fitOn: Float32Array,
  fittedOn: string,
): IndexedCodes {
  const { coder } = fitBinaryCoder(fitOn, dimension, { bits });
  return { coder, rows: encode(coder, embeddings), fittedOn };
}
