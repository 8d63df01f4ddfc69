import type { Dataset } from '../../data/dataset.ts';
import { LARGEST_HEADER_BYTES } from '../../formats/safetensors.ts';
import { IndexFolder, IndexFolderWriter, isIndexFolder } from '../../platform/node/index-folder.ts';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { encode, fitBinaryCoder } from '../../retrieval/binary-codes.ts';
import { assertSameModel, serializeIndex, type IndexedCodes, type RetrievalIndex } from '../../retrieval/index-file.ts';
import { rowsOf, type Manifest } from '../../retrieval/index-folder/manifest.ts';
import { modelEmbeddings, type ImageRows } from '../../models/image-rows.ts';
import { openRetrievalModel, readModelDescription } from '../../models/retrieval-model.ts';
import { defineCommand } from '../command.ts';
import { CODES_OPTION, PRECISION_OPTION, SHARED_OPTIONS, TUNING_OPTIONS } from '../options/shared.ts';
import { openPublished, reportSkipped } from '../files/data.ts';
import { DATA_OPTIONS } from '../options/data.ts';
import { closeCommandDevice, openCommandDevice, checkPrecision } from '../device.ts';
import { embedFolder, type EmbedFolderOptions } from '../files/embed-folder.ts';
import { embedFiles, openPictures, type EmbeddedFiles } from '../files/image-files.ts';
import { decodeImage } from '../../platform/node/images.ts';
import { fileSource, selectedSource, type PictureSource } from '../../platform/node/picture-sources/source.ts';
import { readGivenIndex } from '../files/given-index.ts';
import { namesIn, readModelFile, searchModelPath } from '../files/model-file.ts';
import { SEARCH_MODEL_OPTION } from '../options/model.ts';
import { choice, text, toggle } from '../options/kinds.ts';
import { OptionError } from '../options/option.ts';
import { printText, Progress } from '../display/progress.ts';
import { inShard, parseShard, type Shard } from '../files/shard.ts';
import { checkTuning, openTuner } from '../tuning.ts';

export const EMBED_OPTIONS = {
  model: SEARCH_MODEL_OPTION,
  images: text({
    placeholder: 'folder|tar|list',
    help: 'The pictures: a folder (with the folders in it), a tar archive such as a WebDataset shard, or a text file that lists pictures, archives and http(s) addresses, one a line',
  }),
  data: text({ placeholder: 'folder', help: "In place of --images, a published set's folder (sketchgrad data how)" }),
  split: DATA_OPTIONS.split,
  part: choice(['gallery', 'queries', 'train', 'validation'], {
    default: 'gallery',
    help: 'The part of the set: gallery and queries are the photos and sketches of unseen classes',
  }),
  drawings: DATA_OPTIONS.drawings,
  pixelCache: DATA_OPTIONS.pixelCache,
  out: text({
    placeholder: 'file|folder',
    default: 'index.safetensors',
    help: 'The output: a file (.safetensors), or a folder, which can be updated, and continues after an interruption',
  }),
  update: toggle({
    help: 'Update the index folder: embed new and changed pictures, keep the others, remove those that are gone',
  }),
  shard: text({
    placeholder: 'i/n',
    help: 'Embed share i of n (0 to n - 1) into a separate index folder. auto/n reads i from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX, auto also n from Slurm. sketchgrad index merge merges the shares',
  }),
  vectors: choice(['F32', 'F16'], { default: 'F32', help: 'Type of the vectors in an index folder' }),
  codes: CODES_OPTION,
  codesFit: text({
    placeholder: 'index',
    help: 'An index of other pictures (such as seen classes) on which the codes are fitted. Default: the pictures themselves',
  }),
  strict: DATA_OPTIONS.strict,
  precision: PRECISION_OPTION,
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

export const embedCommand = defineCommand({
  name: 'embed',
  summary: 'Make an index of pictures for sketchgrad search and serve',
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
    update,
    shard,
    vectors: type,
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
    const toFolder = isIndexFolder(out);
    if (toFolder && (data !== undefined || bits !== undefined))
      throw new OptionError(
        `--out: ${out} is an index folder, which is of --images and has no codes; for --data and --codes give a file, index.safetensors`,
      );
    if (!toFolder && (update || shard !== undefined || type !== 'F32'))
      throw new OptionError(
        `--update, --shard and --vectors are for index folders, and ${out} is a file; give a name without .safetensors`,
      );
    const share = shard === undefined ? undefined : parseShard(shard);
    const found = images === undefined ? fileSource([]) : await openPictures(images);
    const pictures = share === undefined ? found : selectedSource(found, (name) => inShard(name, share));
    const files = pictures.names;
    if (toFolder && !update && (await IndexFolder.openIfThere(out)) !== undefined)
      throw new OptionError(`--out: ${out} is an index already; --update updates it`);
    const file = await readModelFile(path, '--model');
    const { imageSize, sketches, settings } = readModelDescription(file, path);
    if (!toFolder && images !== undefined) checkFitsFile(out, files, settings.embedding);
    if (share !== undefined && files.length === 0)
      return embedNothing(out, share, { modelChecksum: file.checksum, dimension: settings.embedding, type });
    const fitOn = await readFitIndex(codesFit, bits, file.checksum);
    const device = await openCommandDevice(adapter);
    const progress = new Progress('embedding');
    try {
      checkPrecision(device, precision);
      const model = openRetrievalModel(device, file, path, await openTuner(device, tuning), precision);
      const rows = await modelEmbeddings(model);
      if (toFolder) {
        await embedIntoFolder(out, pictures, rows, {
          modelChecksum: file.checksum,
          type,
          circumstances: JSON.stringify([device.description, precision]),
          strict,
          allowEmpty: share !== undefined,
          onProgress: (done, total) => progress.update(done, total),
        }).finally(() => progress.stop());
        rows.destroy();
        model.storage.destroy();
        return;
      }
      const { paths, embeddings, skipped } =
        data === undefined
          ? await embedFiles(rows, files, {
              strict,
              decode: async (name, size) => decodeImage(await pictures.read(name), size, name),
              onProgress: (done) => progress.update(done, files.length),
            })
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

/** Bytes of an index file: every supported Node reads one of that size by one call. */
const LARGEST_FILE_BYTES = 2 ** 31 - 1;

/** Refuses a file that would be too large before the first picture is decoded. @throws OptionError */
function checkFitsFile(out: string, names: readonly string[], dimension: number): void {
  // Names are stored as JSON in the header, within a JSON string: quotes and backslashes are escaped twice.
  const header = names.reduce((sum, name) => sum + Buffer.byteLength(JSON.stringify(JSON.stringify(name))) - 1, 0);
  const bytes = header + 4 * names.length * dimension;
  if (header > LARGEST_HEADER_BYTES || bytes > LARGEST_FILE_BYTES)
    throw new OptionError(
      `--out: ${out} would have ${names.length} pictures in ${Math.ceil(bytes / 2 ** 20)} MiB, too many for one file; give an index folder, a name without .safetensors`,
    );
}

/** An index without pictures, so that a job of more shards than pictures succeeds, and its shards can be merged. */
async function embedNothing(out: string, { index, count }: Shard, about: Omit<Manifest, 'parts'>): Promise<void> {
  const writer = await IndexFolderWriter.create(out, about);
  await writer.finish();
  printText(`${out}: 0 pictures: none is in the shard ${index}/${count}\n`);
}

/** Makes or updates an index folder, and reports what was done. */
async function embedIntoFolder(
  out: string,
  pictures: PictureSource,
  rows: ImageRows,
  options: EmbedFolderOptions,
): Promise<void> {
  const { manifest, kept, moved, embedded, removed, skipped } = await embedFolder(out, pictures, rows, options);
  reportSkipped(skipped);
  const changes = [
    `${embedded} embedded`,
    ...(kept > 0 ? [`${kept} taken over${moved > 0 ? ` (${moved} of them moved or touched)` : ''}`] : []),
    ...(removed > 0 ? [`${removed} are gone`] : []),
  ];
  printText(
    `${out}: ${rowsOf(manifest)} pictures, ${manifest.dimension} components each, of the model ${manifest.modelChecksum.slice(0, 16)}: ${changes.join(', ')}\n`,
  );
}

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
  const index = await readGivenIndex(file, '--codes-fit');
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
