import { findIconSets } from '../../../datasets/icon-sets.ts';
import { iconRenderer } from '../../../datasets/icon-drawings.ts';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { serializeIconIndex } from '../../retrieval/icon-index.ts';
import { EMBEDDING_BATCH, modelEmbeddings } from '../../models/image-rows.ts';
import { openRetrievalModel, readModelDescription } from '../../models/retrieval-model.ts';
import { defineCommand } from '../command.ts';
import { PRECISION_OPTION, SHARED_OPTIONS, TUNING_OPTIONS } from '../options/shared.ts';
import { closeCommandDevice, openCommandDevice, checkPrecision } from '../device.ts';
import { IconParts, type Drawn } from '../files/icon-parts.ts';
import { readModelFile, searchModelPath } from '../files/model-file.ts';
import { embedDrawings } from '../icons/drawings.ts';
import { assemble, readEarlier } from '../icons/index-content.ts';
import { chosenSets, listSets, pendingDrawings } from '../icons/sets.ts';
import { ICON_ROOT_OPTION } from '../options/icons.ts';
import { SEARCH_MODEL_OPTION } from '../options/model.ts';
import { integer, text, toggle } from '../options/kinds.ts';
import { OptionError } from '../options/option.ts';
import { note, printText, Progress } from '../display/progress.ts';
import { checkTuning, openTuner } from '../tuning.ts';

export const ICONS_OPTIONS = {
  sets: text({
    placeholder: 'names',
    help: 'Iconify sets to index, separated by commas, such as tabler,mdi. Each is an npm package @iconify-json/<set>; @iconify/json has all',
  }),
  all: toggle({ help: 'Index all installed sets' }),
  model: SEARCH_MODEL_OPTION,
  out: text({
    placeholder: 'file',
    default: 'icons.safetensors',
    help: 'The output file. If it exists, icons with unchanged drawings are kept',
  }),
  root: ICON_ROOT_OPTION,
  part: integer({
    minimum: EMBEDDING_BATCH,
    default: 64 * EMBEDDING_BATCH,
    help: 'Icons that are embedded between two writes to the disk, which is what a kill can lose',
  }),
  precision: PRECISION_OPTION,
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

/** Icons that cannot be rendered and are named one by one. */
const MOST_NAMED = 20;

export const iconsCommand = defineCommand({
  name: 'icons',
  summary: 'Make an index of installed Iconify icon sets for sketchgrad search and serve',
  options: ICONS_OPTIONS,
  async run({ sets: named, all, model: givenModel, out, root, part, adapter, precision, ...tuning }) {
    checkTuning(tuning);
    const modelPath = searchModelPath(givenModel);
    const files = chosenSets(await findIconSets(root), named, all, root);
    const file = await readModelFile(modelPath, '--model');
    const {
      settings: { embedding: dimension },
    } = readModelDescription(file, modelPath);
    const origin = { modelChecksum: file.checksum, dimension, renderer: `${await iconRenderer()}, ${precision}` };
    const drawn = new Map<string, Drawn>();
    const earlier = await readEarlier(out, origin, drawn);
    const fromIndex = drawn.size;
    const parts = await IconParts.open(out, origin, (digest, one) => drawn.set(digest, one));
    let finished = false;
    try {
      if (drawn.size > fromIndex) note(`${drawn.size - fromIndex} drawings of an interrupted run are used`);
      const listed = await listSets(files);
      const pending = new Set(
        listed.flatMap(({ icons }) => icons.map(({ digest }) => digest)).filter((digest) => !drawn.has(digest)),
      );
      if (pending.size > 0) {
        const device = await openCommandDevice(adapter);
        const progress = new Progress('icons');
        try {
          checkPrecision(device, precision);
          const model = openRetrievalModel(device, file, modelPath, await openTuner(device, tuning), precision);
          const rows = await modelEmbeddings(model);
          const total = pending.size;
          let done = 0;
          for await (const drawings of pendingDrawings(listed, pending, part)) {
            const fresh = await embedDrawings(rows, drawings, (count) => progress.update(done + count, total));
            await parts.write(fresh);
            for (const [digest, one] of fresh) drawn.set(digest, one);
            done += drawings.length;
          }
          rows.destroy();
          model.storage.destroy();
        } finally {
          progress.stop();
          closeCommandDevice(device);
        }
      }
      const { index, failures } = assemble(listed, drawn, origin);
      if (index.names.length === 0)
        throw new OptionError(
          `none of the icons of ${[...files.keys()].join(', ')} can be rendered, so there is no index`,
        );
      const bytes = await serializeIconIndex(index);
      await writeFileAtomically(out, bytes);
      finished = true;
      tellFailures(failures);
      // What failed before was tried again.
      const anew = [...pending].filter((digest) => 'vector' in drawn.get(digest)!).length;
      const kept = earlier === undefined ? '' : `, ${anew} drawings embedded anew`;
      printText(
        `${out}: ${index.names.length} icons of ${index.sets.length} ${index.sets.length === 1 ? 'set' : 'sets'}${kept}, ${failures.length} not rendered; ${(bytes.length / 1e6).toFixed(1)} MB, of the model ${file.checksum.slice(0, 16)}\n`,
      );
    } finally {
      await parts.close(finished);
    }
  },
});

function tellFailures(failures: readonly string[]): void {
  for (const failure of failures.slice(0, MOST_NAMED)) note(`not rendered: ${failure}`);
  if (failures.length > MOST_NAMED) note(`not rendered: ${failures.length - MOST_NAMED} more`);
}
