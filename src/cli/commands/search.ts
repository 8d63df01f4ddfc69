import { writeFileAtomically } from '../../platform/node/files.ts';
import { decodeSketch } from '../../platform/node/images.ts';
import { meanEmbedding } from '../../retrieval/mean-embedding.ts';
import { modelEmbeddings } from '../../models/image-rows.ts';
import { openRetrievalModel, readModelDescription, similarityCutOff } from '../../models/retrieval-model.ts';
import type { ModelFile } from '../../models/model-file.ts';
import type { SketchFraming } from '../../data/sketch-framing.ts';
import type { AdapterChoice } from '../../platform/node/drivers.ts';
import { defineCommand } from '../command.ts';
import { JSON_OPTION, PRECISION_OPTION, SHARED_OPTIONS, TUNING_OPTIONS } from '../options/shared.ts';
import { renderContactSheet } from '../display/contact-sheet.ts';
import { closeCommandDevice, openCommandDevice, checkPrecision } from '../device.ts';
import { embedFiles } from '../files/image-files.ts';
import { readModelFile, searchModelPath } from '../files/model-file.ts';
import { ICON_INDEX_OPTION, ICON_ROOT_OPTION } from '../options/icons.ts';
import { MIN_SIMILARITY_OPTION, SEARCH_MODEL_OPTION } from '../options/model.ts';
import { PICTURE_FILTER_OPTIONS, pictureFilterOf } from '../options/pictures.ts';
import { STORE_OPTION } from '../options/stores.ts';
import { choice, integer, text, toggle } from '../options/kinds.ts';
import { OptionError } from '../options/option.ts';
import { note, printText } from '../display/progress.ts';
import { openSearchedIcons } from '../search/icons.ts';
import { openSearchedPictures, openSearchedStore } from '../search/pictures.ts';
import type { FoundBySketch, SearchedIndex } from '../search/searched-index.ts';
import { checkTuning, openTuner } from '../tuning.ts';

export const SEARCH_OPTIONS = {
  model: SEARCH_MODEL_OPTION,
  index: text({
    placeholder: 'file',
    default: 'index.safetensors',
    help: 'The index that sketchgrad embed made with the same model',
  }),
  by: choice(['cosine', 'codes'], {
    default: 'cosine',
    help: "Rank by cosine, or by the Hamming distance of the index's binary codes (sketchgrad embed --codes)",
  }),
  rerank: integer({
    minimum: 1,
    help: 'With --by codes: rank this many nearest codes again by their cosines',
  }),
  store: STORE_OPTION,
  icons: ICON_INDEX_OPTION,
  set: text({ placeholder: 'names', help: 'Search only icons of these sets, separated by commas' }),
  style: text({ placeholder: 'names', help: 'Search only icons of these styles: outline, solid, duotone, colour' }),
  licence: text({
    placeholder: 'names',
    help: 'Only icons under these licences, by SPDX identifier, such as MIT,Apache-2.0',
  }),
  ...PICTURE_FILTER_OPTIONS,
  minSimilarity: MIN_SIMILARITY_OPTION,
  like: text({
    placeholder: 'name',
    help: 'Search for what is like this picture (a path of the index) or icon, alone or together with all sketches',
  }),
  together: toggle({ help: 'Search once with all sketches, which show the same thing, instead of once with each' }),
  top: integer({ minimum: 1, default: 10, help: 'Pictures or icons to show for each search' }),
  offset: integer({
    minimum: 0,
    default: 0,
    help: 'Leave out this many of the nearest: --offset 10 shows the second ten',
  }),
  json: JSON_OPTION,
  sheet: text({ placeholder: 'file.png', help: 'Draw a contact sheet of the sketches and what they found' }),
  root: ICON_ROOT_OPTION,
  precision: PRECISION_OPTION,
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

export const searchCommand = defineCommand({
  name: 'search',
  summary: 'Search an index of pictures or icons by one or more sketches',
  options: SEARCH_OPTIONS,
  positionals: {
    name: 'sketch',
    help: 'Image files of sketches, black on white; needed without --like',
    optional: true,
  },
  async run(
    {
      model: givenModel,
      index: indexPath,
      by,
      rerank,
      store,
      icons,
      set,
      style,
      licence,
      folder,
      label,
      after,
      before,
      minSize,
      maxSize,
      minSimilarity,
      like,
      together,
      top,
      offset,
      json,
      sheet,
      root,
      adapter,
      precision,
      ...tuning
    },
    { positionals: sketches, given },
  ) {
    if (sketches.length === 0 && like === undefined)
      throw new OptionError('the file of a sketch is needed, or --like with a picture of the index');
    if (sketches.length === 0 && sheet !== undefined)
      throw new OptionError('--sheet shows sketches beside what they found; give one');
    const filter = pictureFilterOf({ folder, label, after, before, minSize, maxSize });
    if (icons !== undefined && Object.keys(PICTURE_FILTER_OPTIONS).some((key) => given[key] !== undefined))
      throw new OptionError(
        '--folder, --label, --after, --before, --min-size and --max-size select pictures; icons have --set, --style and --licence',
      );
    checkTuning(tuning);
    if (icons !== undefined && (given.index !== undefined || given.by !== undefined))
      throw new OptionError('--index and --by select pictures, --icons selects icons; give one of the two');
    const hasStore = store !== STORE_OPTION.default;
    if (hasStore && [icons, given.index, given.by].some((value) => value !== undefined))
      throw new OptionError('--store replaces --index, --by and --icons; give one of them');
    if (rerank !== undefined && by !== 'codes')
      throw new OptionError('--rerank ranks the nearest codes again; give --by codes, or leave it out');
    if (icons === undefined && [set, style, licence].some((word) => word !== undefined))
      throw new OptionError('--set, --style and --licence choose among icons; give their index with --icons');
    const modelPath = searchModelPath(givenModel);
    const file = await readModelFile(modelPath, '--model');
    readModelDescription(file, modelPath);
    const cutOff = minSimilarity ?? similarityCutOff(file, modelPath);
    const index: SearchedIndex<object> =
      icons !== undefined
        ? await openSearchedIcons(icons, file.checksum, { set, style, licence }, cutOff, root)
        : hasStore
          ? await openSearchedStore(store, file.checksum, cutOff, filter)
          : await openSearchedPictures(indexPath, file.checksum, { by, rerank }, cutOff, filter);
    try {
      if (like !== undefined && index.like === undefined)
        throw new OptionError('--like names a picture of an index; give --index in place of --store');
      const liked = like === undefined ? undefined : index.like?.(like);
      const rows =
        sketches.length === 0
          ? []
          : await embedSketches(sketches, file, modelPath, index.sketches, { adapter, precision, tuning });
      const queries =
        together || liked !== undefined
          ? [{ sketches, like, embedding: meanOf(liked === undefined ? rows : [...rows, liked.embedding]) }]
          : sketches.map((sketch, row) => ({ sketches: [sketch], embedding: rows[row] }));
      const found: FoundBySketch<object>[] = [];
      for (const { embedding, ...query } of queries)
        found.push({
          ...query,
          ...pageFrom(offset, await index.find(embedding, top + offset, liked && [liked.row])),
        });
      printText(
        json
          ? `${JSON.stringify(
              found.map((each) => foundJson(each, together || liked !== undefined)),
              null,
              1,
            )}\n`
          : `${found.map((each) => foundText(each, index)).join('\n\n')}\n`,
      );
      if (sheet !== undefined) {
        await writeFileAtomically(
          sheet,
          await renderContactSheet(await Promise.all(found.map((each) => index.sheetRow(each)))),
        );
        note(`contact sheet: ${sheet}`);
      }
    } finally {
      await index.close?.();
    }
  },
});

interface EmbedSketchesOptions {
  readonly adapter: AdapterChoice;
  readonly precision: Parameters<typeof checkPrecision>[1];
  readonly tuning: Parameters<typeof openTuner>[1];
}

/** @returns the embedding of each sketch */
async function embedSketches(
  sketches: readonly string[],
  file: ModelFile,
  modelPath: string,
  framing: SketchFraming | undefined,
  { adapter, precision, tuning }: EmbedSketchesOptions,
): Promise<Float32Array[]> {
  const device = await openCommandDevice(adapter);
  try {
    checkPrecision(device, precision);
    const model = openRetrievalModel(device, file, modelPath, await openTuner(device, tuning), precision);
    const rows = await modelEmbeddings(model, Math.min(sketches.length, 8));
    // A sketch that cannot be read is a mistake in the command, and not a damaged file in a collection.
    const { embeddings } = await embedFiles(rows, sketches, {
      strict: true,
      domain: 'sketch',
      decode: (sketch, size) => decodeSketch(sketch, size, framing ?? model.sketches),
    });
    rows.destroy();
    model.storage.destroy();
    return sketches.map((_, row) => embeddings.slice(row * rows.width, (row + 1) * rows.width));
  } finally {
    closeCommandDevice(device);
  }
}

/** @param rows of one dimension, at least one */
function meanOf(rows: readonly Float32Array[]): Float32Array {
  const dimension = rows[0].length;
  const joined = new Float32Array(rows.length * dimension);
  rows.forEach((row, place) => joined.set(row, place * dimension));
  return meanEmbedding(joined, dimension);
}

/** The results behind the first `offset`, with the ranks that they have among all. */
function pageFrom<Found extends Pick<FoundBySketch<object>, 'results'>>(offset: number, found: Found): Found {
  return { ...found, results: found.results.slice(offset) };
}

function foundJson({ sketches, ...found }: FoundBySketch<object>, together: boolean): object {
  return { ...(together ? { sketches } : { sketch: sketches[0] }), ...found };
}

function foundText(
  { sketches, like, nothingLike, results }: FoundBySketch<object>,
  index: SearchedIndex<object>,
): string {
  const searched = [...sketches, ...(like === undefined ? [] : [`like ${like}`])];
  return `${searched.join(', ')}${nothingLike ? ': nothing like this here' : ''}\n${index.table(results)}`;
}
