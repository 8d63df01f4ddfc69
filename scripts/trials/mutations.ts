/**
 * Changes small sound files of every kind at random and reads them. Each must be refused with an error of its reader,
 * in at most 2,000 characters and without control characters, or be accepted with content that is sound.
 *
 *   npx tsx scripts/trials/mutations.ts [COUNT] [SEED]
 *
 * Three kinds of change: bytes, whatever they are of; what the header and the metadata say, with the digest that
 * belongs to it; and the same in the version that had no digest.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readJsonText, readConfiguration } from '../../src/cli/options/configuration.ts';
import { TRAIN_OPTIONS } from '../../src/cli/options/training.ts';
import { parseSafetensors, type Dtype } from '../../src/formats/safetensors.ts';
import { serializeSafetensors, type TensorToStore } from '../../src/formats/safetensors-writer.ts';
import { serializeSealedNow } from '../../src/formats/sealed.ts';
import { parseShards } from '../../src/formats/sharded.ts';
import { parseTensorFile } from '../../src/formats/tensor-file.ts';
import { LONGEST_MESSAGE } from '../../src/formats/untrusted.ts';
import { RandomStream } from '../../src/random/philox.ts';
import { openIndex } from '../../src/retrieval/index-file.ts';
import { parseModel, serializeModel } from '../../src/models/model-file.ts';
import { parseKnowledge, parsePartialKnowledge } from '../../src/training/knowledge-file.ts';
import { readModelDescription } from '../../src/models/retrieval-model.ts';
import { parseWeights } from '../../src/training/weights.ts';
import { sampleFiles } from './sample-files.ts';

export interface MutationFigures {
  readonly count: number;
  readonly refused: number;
  readonly accepted: number;
  /**
   * By reader: files that were accepted and are not sound, errors of another kind, messages that are too long, and what
   * took too long.
   */
  readonly failures: readonly string[];
}

interface Reader {
  readonly sample: Uint8Array;
  /** Names of its errors. */
  readonly errors: readonly string[];
  /** Reads a file and says what is wrong with what it accepted; undefined where that is sound. */
  read(bytes: Uint8Array): Promise<string | undefined>;
  /** Whether every change of a byte must be refused. */
  readonly sealed: boolean;
  /** Where the version is, and how the one before the digest is called. */
  readonly version?: { readonly key: string; readonly before: string };
}

const PYTORCH = ['zip.pth', 'stream.pth', 'tar.pth', 'checkpoint.pth', 'deflated.pth'];
/** Seconds of the processor, which others may share. */
const LONGEST_MILLISECONDS = 1000;
const FILE_ERRORS = ['SafetensorsError', 'PyTorchFileError', 'TensorFileError'];

/** Written down here once more, as the format has them, so that a wrong size of the reader's is found. */
const ELEMENT_BYTES: Readonly<Record<Dtype, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F16: 2,
  BF16: 2,
  U16: 2,
  I16: 2,
  F32: 4,
  U32: 4,
  I32: 4,
  F64: 8,
  U64: 8,
  I64: 8,
};
const product = (shape: readonly number[]): number => shape.reduce((all, size) => all * size, 1);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): boolean => typeof value === 'string';
/** The first of these that does not hold. */
const violated = (holds: Readonly<Record<string, boolean>>): string | undefined =>
  Object.keys(holds).find((what) => !holds[what]);

async function readers(): Promise<Record<string, Reader>> {
  const samples = await sampleFiles();
  const golden = (name: string): Uint8Array =>
    new Uint8Array(readFileSync(new URL(`../../test/golden/weights/${name}`, import.meta.url)));
  const tensorsAreSound = async (bytes: Uint8Array): Promise<string | undefined> => {
    const { tensors } = await parseTensorFile(bytes, 'file');
    for (const [name, tensor] of tensors)
      if (tensor.bytes().length !== product(tensor.shape) * ELEMENT_BYTES[tensor.dtype])
        return `the tensor ${name} has other bytes than its shape`;
    return undefined;
  };
  const shard = serializeSafetensors([
    ['conv1.weight', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }],
    ['fc.weight', { dtype: 'F32', shape: [2], data: Float32Array.of(3, 4) }],
  ]);
  // With a ResNet50's names, so that a reader of others' files would take it.
  const ownWeights = await serializeModel({
    state: new Map([['conv1.weight', { shape: [16, 3, 7, 7], values: new Float32Array(16 * 147).fill(0.5) }]]),
    about: { kind: 'classifier' },
  });
  const origin = ({
    teacher,
    photos,
    reading,
    photosPerClass,
    seed,
    imageSize,
    batchSize,
  }: ReturnType<typeof parseKnowledge>['origin']): Record<string, boolean> => ({
    'names of teacher and photos': isText(teacher) && isText(photos),
    reading:
      ['softmax', 'logits'].includes(reading.mean) && Number.isFinite(reading.temperature) && reading.temperature > 0,
    'counts of the origin': [photosPerClass, seed, imageSize, batchSize].every(isCount),
  });
  const classes = (names: readonly string[]): Record<string, boolean> => ({
    classes: names.length > 0 && names.every(isText) && new Set(names).size === names.length,
  });
  return {
    model: {
      sample: samples.model,
      errors: ['SafetensorsError', 'CheckpointError'],
      sealed: true,
      version: { key: 'format', before: 'sketchgrad 1' },
      async read(bytes) {
        const file = await parseModel(bytes, 'file');
        const { settings, imageSize, pixels } = readModelDescription(file, 'file');
        return violated({
          step: isCount(file.step),
          checksum: /^[0-9a-f]{64}$/.test(file.checksum),
          shapes: [...file.state, ...file.tables, ...[...file.moments.values()].flatMap((store) => [...store])].every(
            ([, { shape, values }]) => product(shape) === values.length,
          ),
          numbers:
            [settings.width * 4, settings.embedding, settings.classes, imageSize].every(
              (value) => isCount(value) && value > 0,
            ) && isCount(settings.teacherClasses),
          epsilon:
            settings.batchNormEpsilon > 0 &&
            settings.batchNormEpsilon <= 1 &&
            settings.batchNormMomentum >= 0 &&
            settings.batchNormMomentum <= 1,
          pixels:
            [...pixels.mean, ...pixels.deviation].every(Number.isFinite) &&
            pixels.mean.length === 3 &&
            pixels.deviation.every((value) => value > 0),
        });
      },
    },
    index: {
      sample: samples.index,
      errors: ['SafetensorsError', 'IndexFileError'],
      sealed: true,
      version: { key: 'format_version', before: '1' },
      async read(bytes) {
        const { embeddings, dimension, paths, modelChecksum, codes } = openIndex(bytes, 'file');
        const lengths = paths.map((_, row) =>
          Math.hypot(...embeddings.subarray(row * dimension, (row + 1) * dimension)),
        );
        return violated({
          paths: paths.every(isText),
          rows:
            embeddings.length === paths.length * dimension && lengths.every((length) => Math.abs(length - 1) < 0.01),
          checksum: isText(modelChecksum) && modelChecksum !== '',
          codes:
            codes === undefined ||
            (codes.rows.length === paths.length * Math.ceil(codes.coder.bits / 32) &&
              codes.coder.mean.length === dimension &&
              codes.coder.projection.length === dimension * codes.coder.bits &&
              codes.coder.projection.every(Number.isFinite)),
        });
      },
    },
    knowledge: {
      sample: samples.knowledge,
      errors: ['SafetensorsError', 'KnowledgeError'],
      sealed: true,
      version: { key: 'format', before: 'sketchgrad knowledge 1' },
      async read(bytes) {
        const { classes: names, table, counts, origin: said } = parseKnowledge(bytes, 'file');
        const sums = names.map((_, row) =>
          table.values
            .subarray(row * table.shape[1], (row + 1) * table.shape[1])
            .reduce((sum, value) => sum + value, 0),
        );
        return violated({
          ...classes(names),
          ...origin(said),
          table:
            table.shape.length === 2 &&
            table.shape[0] === names.length &&
            table.values.length === product(table.shape) &&
            sums.every((sum) => Math.abs(sum - 1) < 0.01) &&
            table.values.every((value) => value >= 0),
          counts: counts.length === names.length && counts.every((count) => count > 0),
        });
      },
    },
    partial: {
      sample: samples.partial,
      errors: ['SafetensorsError', 'KnowledgeError'],
      sealed: true,
      version: { key: 'format', before: 'sketchgrad knowledge under way 1' },
      async read(bytes) {
        const {
          classes: names,
          origin: said,
          photosDone,
          sums,
          counts,
          variants,
        } = parsePartialKnowledge(bytes, 'file');
        return violated({
          ...classes(names),
          ...origin(said),
          photosDone: isCount(photosDone) && counts.reduce((sum, count) => sum + count, 0) === photosDone,
          sums: sums.length > 0 && sums.length % names.length === 0 && sums.every(Number.isFinite),
          counts: counts.length === names.length,
          variants: Object.values(variants).every(isText),
        });
      },
    },
    config: {
      sample: samples.config,
      errors: ['OptionError'],
      sealed: false,
      async read(bytes) {
        const values = readConfiguration(
          TRAIN_OPTIONS,
          readJsonText(new TextDecoder().decode(bytes), 'file'),
          'file',
          {},
        );
        return violated({
          values: Object.values(values).every(
            (value) => isText(value) || typeof value === 'boolean' || Number.isFinite(value),
          ),
        });
      },
    },
    shards: {
      sample: samples.shards,
      errors: FILE_ERRORS,
      sealed: false,
      async read(bytes) {
        const { tensors } = await parseShards(bytes, 'file', async () => shard);
        return violated({
          tensors:
            tensors.size > 0 && [...tensors.keys()].every((name) => ['conv1.weight', 'fc.weight'].includes(name)),
        });
      },
    },
    weights: {
      sample: serializeSafetensors(
        [
          ['conv1.weight', { dtype: 'F16', shape: [16, 3, 7, 7], data: new Float32Array(16 * 147).fill(0.5) }],
          ['bn1.bias', { dtype: 'F32', shape: [16], data: new Float32Array(16) }],
        ],
        [
          ['mean', '[0.5,0.5,0.5]'],
          ['std', '[0.5,0.5,0.5]'],
          ['bn_eps', '0.001'],
        ],
      ),
      errors: [...FILE_ERRORS, 'StateMismatchError', 'InputConventionError', 'CheckpointError'],
      sealed: false,
      async read(bytes) {
        const { file, pretrained } = await parseWeights(bytes, 'file');
        return violated({
          width: pretrained === undefined || (isCount(4 * pretrained.width) && pretrained.width > 0),
          epsilon:
            pretrained?.batchNormEpsilon === undefined ||
            (pretrained.batchNormEpsilon > 0 && pretrained.batchNormEpsilon < 1),
          shapes: [...file.state.values()].every(({ shape, values }) => product(shape) === values.length),
        });
      },
    },
    'model as weights': {
      sample: ownWeights,
      errors: [...FILE_ERRORS, 'StateMismatchError', 'InputConventionError', 'CheckpointError'],
      sealed: true,
      async read(bytes) {
        const { pretrained } = await parseWeights(bytes, 'file');
        return violated({ kind: pretrained === undefined });
      },
    },
    ...Object.fromEntries(
      PYTORCH.map((name) => [
        name,
        { sample: golden(name), errors: FILE_ERRORS, sealed: false, read: tensorsAreSound } satisfies Reader,
      ]),
    ),
  };
}

/** Texts that a value of JSON may be replaced by. */
const HOSTILE = [
  'null',
  'true',
  '-1',
  '0',
  '0.5',
  '1e999',
  '-1e999',
  '1e-300',
  '9007199254740993',
  '""',
  '"NaN"',
  '"__proto__"',
  '[]',
  '{}',
  '[null]',
  '[1,2,1]',
  '{"a":1}',
  '"\\u001b[2J"',
  JSON.stringify('x'.repeat(50_000)),
  '['.repeat(30_000) + ']'.repeat(30_000),
  '{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000),
];
const DTYPES = Object.keys(ELEMENT_BYTES) as Dtype[];

/** Changes bytes: flips, other values, ranges that are cut, doubled, moved or made up, an early end. */
function changedBytes(bytes: Uint8Array, random: RandomStream): Uint8Array {
  const copy = bytes.slice();
  const place = random.integer(bytes.length);
  const length = 1 + random.integer(Math.min(64, bytes.length - place));
  switch (random.integer(7)) {
    case 0:
      copy[place] ^= 1 << random.integer(8);
      return copy;
    case 1:
      for (let left = 1 + random.integer(4); left > 0; left--) copy[random.integer(copy.length)] = random.integer(256);
      return copy;
    case 2:
      return copy.subarray(0, place);
    case 3:
      return Uint8Array.from([...copy.subarray(0, place), ...copy.subarray(place + length)]);
    case 4:
      return Uint8Array.from([...copy.subarray(0, place + length), ...copy.subarray(place)]);
    case 5:
      return Uint8Array.from([
        ...copy.subarray(0, place),
        ...Array.from({ length }, () => random.integer(256)),
        ...copy.subarray(place),
      ]);
    default:
      copy.copyWithin(random.integer(copy.length), place, place + length);
      return copy;
  }
}

/** Replaces a value somewhere in JSON by a text that is no good there, or takes it away. */
function changedJson(text: string, random: RandomStream): string {
  const MARK = '\u0000';
  const root = { value: JSON.parse(text) as unknown };
  let holder: Record<string, unknown> = root;
  let key = 'value';
  while (random.integer(4) > 0) {
    const inner = holder[key];
    if (typeof inner !== 'object' || inner === null || Object.keys(inner).length === 0) break;
    holder = inner as Record<string, unknown>;
    key = Object.keys(inner)[random.integer(Object.keys(inner).length)];
  }
  const change = holder === root ? 2 : random.integer(7);
  if (change === 0) delete holder[key];
  else if (change === 1) holder[['x'.repeat(50_000), '', '__proto__', '\u001b[2J'][random.integer(4)]] = 1;
  else holder[key] = MARK;
  return JSON.stringify(root.value)?.replace(JSON.stringify(MARK), HOSTILE[random.integer(HOSTILE.length)]) ?? '';
}

const isJson = (text: string): boolean => /^[[{]/.test(text);

/** Changes what a safetensors file says, and keeps it a sound file of its format. */
function changedContent(bytes: Uint8Array, random: RandomStream, version: Reader['version']): Uint8Array {
  const { tensors, metadata } = parseSafetensors(bytes);
  const list = [...tensors].map(([name, { dtype, shape, bytes: data }]): [string, TensorToStore] => [
    name,
    { dtype, shape, data },
  ]);
  for (let left = 1 + random.integer(2); left > 0; left--) {
    const at = random.integer(Math.max(1, list.length));
    const keys = [...metadata.keys()].filter((name) => name !== 'digest');
    const key = keys[random.integer(Math.max(1, keys.length))];
    switch (random.integer(list.length === 0 || keys.length === 0 ? 1 : 7)) {
      case 0:
        metadata.set(random.integer(8).toString(), 'x');
        break;
      case 1:
        metadata.delete(key);
        break;
      case 2: {
        const text = metadata.get(key)!;
        metadata.set(
          key,
          isJson(text) && random.integer(3) > 0
            ? changedJson(text, random)
            : HOSTILE[random.integer(HOSTILE.length)].replace(/^"|"$/g, ''),
        );
        break;
      }
      case 3:
        list.splice(at, 1);
        break;
      case 4:
        list[at] = [`${list[at][0]}${['.x', '', '.', ' '][random.integer(4)]}`, list[at][1]];
        break;
      case 5: {
        const dtype = DTYPES[random.integer(DTYPES.length)];
        const shape = Array.from({ length: random.integer(4) }, () => random.integer(6));
        list[at] = [
          list[at][0],
          { dtype, shape, data: new Uint8Array(product(shape) * ELEMENT_BYTES[dtype]).fill(random.integer(256)) },
        ];
        break;
      }
      default: {
        const { dtype, shape, data } = list[at][1];
        const changed = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
        for (let values = random.integer(4); values >= 0; values--)
          if (changed.length > 0)
            changed[random.integer(changed.length)] = [0, 0x7f, 0xff, random.integer(256)][random.integer(4)];
        list[at] = [list[at][0], { dtype, shape, data: changed }];
      }
    }
  }
  if (version === undefined || random.integer(2) === 0)
    return version === undefined ? serializeSafetensors(list, metadata) : serializeSealedNow(list, metadata);
  metadata.delete('digest');
  if (metadata.has(version.key)) metadata.set(version.key, version.before);
  return serializeSafetensors(list, metadata);
}

/** @param count files to change @param seed of the changes */
export async function runMutations(
  count: number,
  seed = 0,
  onProgress?: (done: number) => void,
): Promise<MutationFigures> {
  const all = Object.entries(await readers());
  for (const [name, reader] of all) {
    const wrong = await reader.read(reader.sample).catch((error: Error) => error.message);
    // A configuration of unknown options, say, would be refused whatever was changed in it.
    if (wrong !== undefined) throw new Error(`the sample of ${name} is not sound: ${wrong}`);
  }
  const failures: string[] = [];
  let refused = 0;
  for (let index = 0; index < count; index++) {
    const random = new RandomStream(seed, 0, [index, 0]);
    const [name, reader] = all[index % all.length];
    const { sample, version } = reader;
    const inBytes = random.integer(2) === 0;
    const isText = sample[0] === 0x7b;
    const hasContent = sample[8] === 0x7b;
    const bytes =
      inBytes || (!isText && !hasContent)
        ? changedBytes(sample, random)
        : isText
          ? new TextEncoder().encode(changedJson(new TextDecoder().decode(sample), random))
          : changedContent(sample, random, version);
    const started = process.cpuUsage();
    const fail = (what: string): void => void failures.push(`${name}, change ${index}: ${what}`);
    try {
      const wrong = await reader.read(bytes);
      if (wrong !== undefined) fail(`accepted with wrong ${wrong}`);
      if (reader.sealed && inBytes && !Buffer.from(bytes).equals(sample))
        fail('accepted with other bytes than were written');
    } catch (error) {
      refused++;
      const { name: kind, message, stack } = error as Error;
      if (!reader.errors.includes(kind)) fail(`${kind}: ${stack?.slice(0, 400)}`);
      if (message.length > LONGEST_MESSAGE) fail(`a message of ${message.length} characters`);
      if (/[^\P{Cc}\n\t]/u.test(message)) fail('a message with control characters');
    }
    const { user, system } = process.cpuUsage(started);
    const milliseconds = (user + system) / 1000;
    if (milliseconds > LONGEST_MILLISECONDS) fail(`${Math.round(milliseconds)} ms of the processor`);
    onProgress?.(index + 1);
  }
  return { count, refused, accepted: count - refused, failures };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [count = 100_000, seed = 0] = process.argv.slice(2).map(Number);
  const { refused, accepted, failures } = await runMutations(
    count,
    seed,
    (done) => done % 10_000 === 0 && process.stderr.write(`${done} files\n`),
  );
  process.stdout.write(
    `${count} files: ${refused} refused, ${accepted} accepted, ${failures.length} failures\n${failures
      .slice(0, 40)
      .map((line) => `  ${line}\n`)
      .join('')}`,
  );
  process.exitCode = failures.length === 0 ? 0 : 1;
}
