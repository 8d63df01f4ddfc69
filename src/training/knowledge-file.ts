import { classKey } from '../data/class-names.ts';
import { toFloat32, type Dtype, type StoredTensor } from '../formats/safetensors.ts';
import { checkVersion, parseSealedNow, serializeSealedNow } from '../formats/sealed.ts';
import type { NetworkSettings } from '../nn/layers.ts';
import type { PixelNormalization } from '../nn/pixels.ts';
import type { BackboneSettings } from '../nn/backbones/index.ts';
import type { StateTensor } from '../nn/state.ts';
import { canonicalJson } from '../formats/canonical-json.ts';
import type { ClassKnowledge, KnowledgeReading } from './knowledge.ts';
import { BoundedError, isJsonObject, parseCount, parseJson, quote, quoteValue } from '../formats/untrusted.ts';

/** A file that is no knowledge, or knowledge of other classes or of another teacher than are needed. */
export class KnowledgeError extends BoundedError {
  override readonly name = 'KnowledgeError';
}

/** The teacher's network but for its number of classes. */
export type TeacherNetwork = BackboneSettings & NetworkSettings;

/** Which photos a teacher sees, and how it is read. */
export interface DistillationSettings {
  readonly reading: KnowledgeReading;
  /** Photos of a class that the teacher sees, drawn by the seed; 0 for all. */
  readonly photosPerClass: number;
  readonly seed: number;
  /** Side of the photos in pixels. */
  readonly imageSize: number;
  readonly pixels: PixelNormalization;
  /** Photos that the teacher sees at once. */
  readonly batchSize: number;
}

/** All that decides the numbers of a distillation. */
export interface KnowledgeOrigin extends DistillationSettings {
  /** Checksum of the teacher's weights. */
  readonly teacher: string;
  readonly network: TeacherNetwork;
  /** Fingerprint of the photos, see `fingerprint`. */
  readonly photos: string;
}

/** What a teacher says of each seen class. */
export interface Knowledge {
  readonly classes: readonly string[];
  /** [classes, teacher classes], each row a distribution. */
  readonly table: StateTensor;
  /** Photos of each class. */
  readonly counts: Uint32Array;
  readonly origin: KnowledgeOrigin;
}

/** A distillation under way. */
export interface PartialKnowledge {
  readonly classes: readonly string[];
  readonly origin: KnowledgeOrigin;
  readonly photosDone: number;
  readonly sums: ClassKnowledge['sums'];
  readonly counts: ClassKnowledge['counts'];
  /** Variants of kernels that it was begun with, by question. */
  readonly variants: Readonly<Record<string, string>>;
}

/** Files of version 1 had no digest; what they say is checked, and not whether it is what was written. */
const VERSION = 2;
const FORMAT = 'sketchgrad knowledge';
const PARTIAL_FORMAT = 'sketchgrad knowledge under way';
/** How far from 1 the sum of a class's distribution may be: far above the rounding of its float32 values. */
const SUM_TOLERANCE = 1e-3;

/** The bytes of a knowledge file, which `parseKnowledge` reads. */
export function serializeKnowledge({ classes, table, counts, origin }: Knowledge): Uint8Array {
  return serializeSealedNow(
    [
      ['knowledge', { dtype: 'F32', shape: table.shape, data: table.values }],
      ['counts', { dtype: 'U32', shape: [counts.length], data: counts }],
    ],
    [
      ['format', `${FORMAT} ${VERSION}`],
      ['classes', JSON.stringify(classes)],
      ['origin', JSON.stringify(origin)],
    ],
  );
}

/**
 * @throws KnowledgeError where the file holds no knowledge or is damaged, SafetensorsError where it is no safetensors
 * file
 */
export function parseKnowledge(bytes: Uint8Array, fileName: string): Knowledge {
  const { tensors, classes, origin, fail } = readFile(bytes, fileName, FORMAT);
  const table = required(tensors, 'knowledge', 'F32', [classes.length, undefined], fail);
  const counts = new Uint32Array(aligned(required(tensors, 'counts', 'U32', [classes.length], fail)));
  const values = toFloat32(table, fileName);
  classes.forEach((name, row) => {
    const said = values.subarray(row * table.shape[1], (row + 1) * table.shape[1]);
    // Written so that NaN fails too.
    if (
      !(Math.abs(said.reduce((sum, value) => sum + value, 0) - 1) <= SUM_TOLERANCE) ||
      said.some((value) => value < 0)
    )
      fail(`what it says of ${quote(name)} is no distribution; the file is damaged`);
    if (counts[row] === 0) fail(`it says something of ${quote(name)} from no photo at all; the file is damaged`);
  });
  return { classes, table: { shape: table.shape, values }, counts, origin };
}

/** The bytes of a distillation under way, which `parsePartialKnowledge` reads. */
export function serializePartialKnowledge({
  classes,
  origin,
  photosDone,
  sums,
  counts,
  variants,
}: PartialKnowledge): Uint8Array {
  return serializeSealedNow(
    [
      ['sums', { dtype: 'F64', shape: [classes.length, sums.length / classes.length], data: sums }],
      ['counts', { dtype: 'U32', shape: [counts.length], data: counts }],
    ],
    [
      ['format', `${PARTIAL_FORMAT} ${VERSION}`],
      ['classes', JSON.stringify(classes)],
      ['origin', JSON.stringify(origin)],
      ['photosDone', String(photosDone)],
      ['variants', JSON.stringify(variants)],
    ],
  );
}

/**
 * @throws KnowledgeError where the file holds no distillation under way or is damaged, SafetensorsError where it is no
 * safetensors file
 */
export function parsePartialKnowledge(bytes: Uint8Array, fileName: string): PartialKnowledge {
  const { tensors, classes, origin, metadata, fail } = readFile(bytes, fileName, PARTIAL_FORMAT);
  const sums = new Float64Array(aligned(required(tensors, 'sums', 'F64', [classes.length, undefined], fail)));
  const counts = new Uint32Array(aligned(required(tensors, 'counts', 'U32', [classes.length], fail)));
  if (!sums.every(Number.isFinite)) fail('its sums hold a value that is not finite; the file is damaged');
  const photosDone = parseCount(metadata.get('photosDone'));
  const counted = counts.reduce((sum, count) => sum + count, 0);
  if (photosDone === undefined || photosDone !== counted)
    return fail(
      `it says that ${quoteValue(metadata.get('photosDone'))} photos were seen, and its counts are of ${counted}; the file is damaged`,
    );
  const variants = parseJson(metadata.get('variants') ?? '{}', (problem) =>
    fail(`what it has for kernel variants is ${problem}`),
  );
  if (!isJsonObject(variants) || !Object.values(variants).every((variant) => typeof variant === 'string'))
    return fail(`its kernel variants are ${quoteValue(variants)}, where names are needed; the file is damaged`);
  return { classes, origin, photosDone, sums, counts, variants: variants as Record<string, string> };
}

/**
 * The table's rows for a data set's classes.
 * @param teacher checksum of the teacher that training starts from, where it starts from one
 * @throws KnowledgeError where a class is missing or the teacher was another one
 */
export function knowledgeOf(
  classes: readonly string[],
  { classes: known, table, origin }: Knowledge,
  fileName: string,
  teacher?: string,
): StateTensor {
  const row = new Map(known.map((name, index) => [classKey(name), index]));
  const missing = classes.filter((name) => !row.has(classKey(name)));
  if (missing.length > 0) {
    const shown = missing.slice(0, 8).join(', ') + (missing.length > 8 ? ` and ${missing.length - 8} more` : '');
    throw new KnowledgeError(
      `${fileName} knows nothing of ${shown}, which ${missing.length === 1 ? 'is' : 'are'} to be trained on; it is of other data. Distil from this data (sketchgrad distill)`,
    );
  }
  if (teacher !== undefined && teacher !== origin.teacher) {
    throw new KnowledgeError(
      `${fileName} was distilled from the teacher ${origin.teacher.slice(0, 16)}, and the training starts from ${teacher.slice(0, 16)}; distil from the weights that it starts from (sketchgrad distill --weights)`,
    );
  }
  const width = table.shape[1];
  const values = new Float32Array(classes.length * width);
  classes.forEach((name, index) => {
    const from = (row.get(classKey(name)) as number) * width;
    values.set(table.values.subarray(from, from + width), index * width);
  });
  return { shape: [classes.length, width], values };
}

/** Whether two distillations do the same. */
export const sameOrigin = (a: KnowledgeOrigin, b: KnowledgeOrigin): boolean => canonicalJson(a) === canonicalJson(b);

type Fail = (problem: string) => never;

function readFile(bytes: Uint8Array, fileName: string, format: string) {
  const fail: Fail = (problem) => {
    throw new KnowledgeError(`${fileName}: ${problem}`);
  };
  const file = parseSealedNow(bytes, fileName, fail);
  checkVersion(file, format, VERSION, (problem) => fail(`${problem}. A file that sketchgrad distill wrote is needed`));
  const read = (key: string): unknown =>
    parseJson(file.metadata.get(key) ?? 'null', (problem) => fail(`what it has for ${key} is ${problem}`));
  const classes = read('classes');
  if (
    !Array.isArray(classes) ||
    classes.length === 0 ||
    !classes.every((name) => typeof name === 'string' && name !== '') ||
    new Set(classes).size !== classes.length
  ) {
    return fail(
      `its classes are ${quoteValue(classes)}, where a list of different names is needed; the file is damaged`,
    );
  }
  return { ...file, classes: classes as readonly string[], origin: readOrigin(read('origin'), fail), fail };
}

function readOrigin(origin: unknown, fail: Fail): KnowledgeOrigin {
  const object = (value: unknown, what: string): Readonly<Record<string, unknown>> =>
    isJsonObject(value) ? value : fail(`its ${what} is ${quoteValue(value)}, and no object; the file is damaged`);
  const said = object(origin, 'origin');
  const { mean, temperature } = object(said.reading, 'reading');
  const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  const demands: readonly (readonly [what: string, value: unknown, holds: boolean])[] = [
    ['mean', mean, mean === 'softmax' || mean === 'logits'],
    ['temperature', temperature, Number.isFinite(temperature) && (temperature as number) > 0],
    ...['teacher', 'photos'].map((key) => [key, said[key], typeof said[key] === 'string'] as const),
    ...['photosPerClass', 'seed', 'imageSize', 'batchSize'].map((key) => [key, said[key], isCount(said[key])] as const),
  ];
  for (const [what, value, holds] of demands)
    if (!holds) fail(`its ${what} is ${quoteValue(value)}; the file is damaged`);
  object(said.network, 'network');
  object(said.pixels, 'pixels');
  return said as unknown as KnowledgeOrigin;
}

/** @param shape undefined for a dimension of any size above 0 */
function required(
  tensors: ReadonlyMap<string, StoredTensor>,
  name: string,
  dtype: Dtype,
  shape: readonly (number | undefined)[],
  fail: Fail,
): StoredTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) return fail(`it has no tensor ${name}; the file is damaged`);
  const fits =
    tensor.dtype === dtype &&
    tensor.shape.length === shape.length &&
    tensor.shape.every((size, axis) => (shape[axis] === undefined ? size > 0 : size === shape[axis]));
  return fits
    ? tensor
    : fail(
        `its ${name} are ${tensor.dtype} [${tensor.shape.join(', ')}], where ${dtype} [${shape.map((size) => size ?? 'any').join(', ')}] is needed; the file is damaged`,
      );
}

/** A copy, at the start of a buffer of its own. (The `slice` of Node's Buffer, which bytes may be, copies nothing.) */
const aligned = ({ bytes }: StoredTensor): ArrayBuffer => new Uint8Array(bytes).buffer;
