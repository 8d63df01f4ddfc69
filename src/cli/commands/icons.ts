import { existsSync } from 'node:fs';
import { iconDigest, iconImage, iconRenderer } from '../../../datasets/icon-drawings.ts';
import { findIconSets, readIconSet, type Icon, type IconSet, type IconSetFiles } from '../../../datasets/icon-sets.ts';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { ImageError } from '../../platform/node/images.ts';
import { ICONS_COMMAND, openIconIndex, serializeIconIndex, type IconIndex } from '../../retrieval/icon-index.ts';
import { ICON_STYLES, iconStyle } from '../../retrieval/icon-style.ts';
import { IndexFileError } from '../../retrieval/index-file.ts';
import { toInt8Vectors } from '../../retrieval/int8-vectors.ts';
import { EMBEDDING_BATCH, modelEmbeddings, type ImageRows } from '../../models/image-rows.ts';
import { openRetrievalModel, readModelDescription } from '../../models/retrieval-model.ts';
import { defineCommand } from '../command.ts';
import { SHARED_OPTIONS, PRECISION_OPTION, TUNING_OPTIONS } from '../options/shared.ts';
import { closeCommandDevice, openCommandDevice, checkPrecision } from '../device.ts';
import { IconParts, type Drawn, type PartsOrigin } from '../files/icon-parts.ts';
import { readGivenFile, readModelFile, searchModelPath } from '../files/model-file.ts';
import { SEARCH_MODEL_OPTION } from '../options/model.ts';
import { nearest } from '../options/configuration.ts';
import { integer, text, toggle } from '../options/kinds.ts';
import { OptionError } from '../options/option.ts';
import { note, printText, Progress } from '../display/progress.ts';
import { checkTuning, openTuner } from '../tuning.ts';

export const ICONS_OPTIONS = {
  sets: text({
    placeholder: 'names',
    help: 'Iconify sets to index, with commas between, such as tabler,mdi; each is an npm package @iconify-json/<set>, and @iconify/json has all',
  }),
  all: toggle({ help: 'Index all sets that are installed' }),
  model: SEARCH_MODEL_OPTION,
  out: text({
    placeholder: 'file',
    default: 'icons.safetensors',
    help: 'The index that is written. Where it is there, icons whose drawings are in it are taken over',
  }),
  root: text({
    placeholder: 'folder',
    default: '.',
    help: "Look for installed sets in this folder's node_modules and those of the folders above it",
  }),
  part: integer({
    minimum: EMBEDDING_BATCH,
    default: 64 * EMBEDDING_BATCH,
    help: 'Icons that are embedded between two writes to the disk: what a kill loses',
  }),
  precision: PRECISION_OPTION,
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

/** Icons that cannot be rendered and are named one by one. */
const MOST_NAMED = 20;

/** An icon of a set that is to be indexed, without its drawing. */
interface ListedIcon {
  readonly name: string;
  readonly digest: string;
  readonly takesTextColour: boolean;
}
type ListedSet = Omit<IconSet, 'icons'> & { readonly files: IconSetFiles; readonly icons: readonly ListedIcon[] };

export const iconsCommand = defineCommand({
  name: 'icons',
  summary: 'Make an index of Iconify icon sets that are installed, to be searched by sketch',
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
      if (drawn.size > fromIndex) note(`${drawn.size - fromIndex} drawings of an interrupted run are taken over`);
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

/** @throws OptionError where none or an unknown one is chosen */
function chosenSets(
  found: ReadonlyMap<string, IconSetFiles>,
  named: string | undefined,
  all: boolean,
  root: string,
): ReadonlyMap<string, IconSetFiles> {
  if ((named === undefined) === !all)
    throw new OptionError('--sets or --all is needed, and not both: the names of icon sets, or all that are installed');
  if (found.size === 0)
    throw new OptionError(
      `no icon set is installed for ${root}; npm install @iconify-json/tabler gets one, and @iconify/json all`,
    );
  if (named === undefined) return found;
  const prefixes = [
    ...new Set(
      named
        .split(',')
        .map((prefix) => prefix.trim())
        .filter(Boolean),
    ),
  ].sort();
  if (prefixes.length === 0) throw new OptionError('--sets: no name is given');
  return new Map(
    prefixes.map((prefix) => {
      const files = found.get(prefix);
      if (files !== undefined) return [prefix, files];
      throw new OptionError(
        `--sets: ${prefix} is not installed for ${root}; npm install @iconify-json/${prefix} gets it. Of the ${found.size} that are installed, the nearest name is ${nearest(prefix, [...found.keys()])}`,
      );
    }),
  );
}

/**
 * Takes over what an index that is there has of the same model and renderer.
 * @throws OptionError where the file is something else, which is not overwritten
 */
async function readEarlier(
  out: string,
  { modelChecksum, dimension, renderer }: PartsOrigin,
  drawn: Map<string, Drawn>,
): Promise<IconIndex | undefined> {
  if (!existsSync(out)) return undefined;
  const index = await openIconIndex(await readGivenFile(out, '--out'), out).catch((cause: Error) => {
    throw new OptionError(
      `--out: ${out} is there, and is no index that ${ICONS_COMMAND} can take over; delete it, or give another file (${cause.message})`,
      { cause },
    );
  });
  const { sources, vectors, names } = index;
  if (sources === undefined || index.modelChecksum !== modelChecksum || sources.renderer !== renderer) {
    note(`${out} was made by another model or renderer, and is made anew`);
    return undefined;
  }
  names.forEach((_, row) =>
    drawn.set(digestOf(sources.digests, row), {
      vector: vectors.subarray(row * dimension, (row + 1) * dimension),
      thick: sources.thick[row],
    }),
  );
  return index;
}

/** Reads each set and keeps what tells its icons apart; the drawings of all sets would take a gigabyte. */
async function listSets(files: ReadonlyMap<string, IconSetFiles>): Promise<ListedSet[]> {
  const listed: ListedSet[] = [];
  for (const each of files.values()) {
    const set = await readIconSet(each);
    listed.push({
      ...set,
      files: each,
      icons: set.icons.map((icon) => ({
        name: icon.name,
        digest: iconDigest(icon),
        takesTextColour: icon.body.includes('currentColor'),
      })),
    });
  }
  return listed;
}

interface Drawing {
  readonly id: string;
  readonly digest: string;
  readonly icon: Icon;
}

/** The drawings that are to be embedded, each once, so many at a time. */
async function* pendingDrawings(
  listed: readonly ListedSet[],
  pending: ReadonlySet<string>,
  count: number,
): AsyncGenerator<readonly Drawing[], void, undefined> {
  const yielded = new Set<string>();
  let waiting: Drawing[] = [];
  for (const { prefix, files, icons } of listed) {
    if (!icons.some(({ digest }) => pending.has(digest) && !yielded.has(digest))) continue;
    for (const icon of (await readIconSet(files)).icons) {
      const digest = iconDigest(icon);
      if (!pending.has(digest) || yielded.has(digest)) continue;
      yielded.add(digest);
      waiting.push({ id: `${prefix}:${icon.name}`, digest, icon });
      if (waiting.length < count) continue;
      yield waiting;
      waiting = [];
    }
  }
  if (waiting.length > 0) yield waiting;
}

/** Renders and embeds drawings; sharp renders on its own threads while the device computes. */
async function embedDrawings(
  rows: ImageRows,
  drawings: readonly Drawing[],
  onProgress: (done: number) => void,
): Promise<Map<string, Drawn>> {
  const thick = new Uint8Array(drawings.length);
  const failures = new Map<number, string>();
  const samples = drawings.map((_, place) => ({ domain: 'photo', className: '', name: String(place) }) as const);
  const read = async ({ name }: { readonly name: string }, size: number): Promise<Uint8Array> => {
    const place = Number(name);
    try {
      const image = await iconImage(drawings[place].icon, size, drawings[place].id);
      thick[place] = Math.round(255 * image.thick);
      return image.pixels;
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      failures.set(place, error.cause instanceof Error ? error.cause.message : String(error.cause));
      // Its row is computed with the others' and dropped below.
      return new Uint8Array(3 * size * size);
    }
  };
  const vectors = toInt8Vectors(await rows.compute(samples, { read }, onProgress), rows.width);
  return new Map(
    drawings.map(({ digest }, place): [string, Drawn] => {
      const failure = failures.get(place);
      return [
        digest,
        failure === undefined
          ? { vector: vectors.subarray(place * rows.width, (place + 1) * rows.width), thick: thick[place] }
          : { failure },
      ];
    }),
  );
}

/** The index of all icons that could be drawn, and what is wrong with the others. */
function assemble(
  listed: readonly ListedSet[],
  drawn: ReadonlyMap<string, Drawn>,
  { modelChecksum, dimension, renderer }: PartsOrigin,
): { readonly index: IconIndex; readonly failures: readonly string[] } {
  const failures: string[] = [];
  const sets = listed
    .map(({ icons, ...set }) => ({
      ...set,
      icons: icons.flatMap((icon) => {
        const one = drawn.get(icon.digest);
        if (one === undefined)
          throw new IndexFileError(
            `the drawing of ${set.prefix}:${icon.name} is missing: its set was changed while it was indexed; start ${ICONS_COMMAND} again`,
          );
        if ('vector' in one) return [{ ...icon, ...one }];
        failures.push(`${set.prefix}:${icon.name}: ${one.failure}`);
        return [];
      }),
    }))
    .filter(({ icons }) => icons.length > 0);
  const count = sets.reduce((sum, { icons }) => sum + icons.length, 0);
  const index = {
    sets: sets.map(({ prefix, title, licence, icons }) => ({ prefix, title, licence, count: icons.length })),
    names: [] as string[],
    styles: new Uint8Array(count),
    vectors: new Int8Array(count * dimension),
    dimension,
    modelChecksum,
    sources: { digests: new Uint32Array(2 * count), thick: new Uint8Array(count), renderer },
  };
  for (const { styles, icons } of sets) {
    for (const { name, digest, takesTextColour, vector, thick } of icons) {
      const row = index.names.push(name) - 1;
      index.styles[row] = ICON_STYLES.indexOf(iconStyle(styles, name, takesTextColour, thick / 255));
      index.vectors.set(vector, row * dimension);
      index.sources.digests.set([parseInt(digest.slice(0, 8), 16), parseInt(digest.slice(8), 16)], 2 * row);
      index.sources.thick[row] = thick;
    }
  }
  return { index, failures };
}

/** As `iconDigest` gives it. */
const digestOf = (digests: Uint32Array, row: number): string =>
  [digests[2 * row], digests[2 * row + 1]].map((word) => word.toString(16).padStart(8, '0')).join('');

function tellFailures(failures: readonly string[]): void {
  for (const failure of failures.slice(0, MOST_NAMED)) note(`not rendered: ${failure}`);
  if (failures.length > MOST_NAMED) note(`not rendered: ${failures.length - MOST_NAMED} more`);
}
