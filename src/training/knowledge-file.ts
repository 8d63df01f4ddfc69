import { parseSafetensors, serializeSafetensors, toFloat32, type StoredTensor } from '../formats/safetensors.ts';
import type { NetworkSettings } from '../nn/layers.ts';
import type { PixelNormalization } from '../nn/pixels.ts';
import type { ResNet50Settings } from '../nn/resnet.ts';
import type { StateTensor } from '../nn/state.ts';
import { canonicalJson } from '../autodiff/choices.ts';
import type { Json } from './checkpoint.ts';
import type { ClassKnowledge, KnowledgeReading } from './knowledge.ts';

/** A file that is no knowledge, or knowledge of other classes or of another teacher than are needed. */
export class KnowledgeError extends Error {
  override readonly name = 'KnowledgeError';
}

/** The teacher's network but for its number of classes. */
export type TeacherNetwork = ResNet50Settings & NetworkSettings;

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
  /** Of the photos, see `fingerprint`. */
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

const FORMAT = 'sketchgrad knowledge 1';
const PARTIAL_FORMAT = 'sketchgrad knowledge under way 1';

export function serializeKnowledge({ classes, table, counts, origin }: Knowledge): Uint8Array {
  return serializeSafetensors(
    [
      ['knowledge', { dtype: 'F32', shape: table.shape, data: table.values }],
      ['counts', { dtype: 'U32', shape: [counts.length], data: counts }],
    ],
    [['format', FORMAT], ['classes', JSON.stringify(classes)], ['origin', JSON.stringify(origin)]],
  );
}

/** @throws KnowledgeError where the file holds no knowledge, SafetensorsError where it is damaged */
export function parseKnowledge(bytes: Uint8Array, fileName: string): Knowledge {
  const { tensors, classes, origin } = readFile(bytes, fileName, FORMAT);
  const table = required(tensors, 'knowledge', fileName);
  const counts = required(tensors, 'counts', fileName);
  if (table.shape.length !== 2 || table.shape[0] !== classes.length || counts.dtype !== 'U32' || counts.shape[0] !== classes.length) {
    throw new KnowledgeError(`${fileName}: knowledge [${table.shape.join(', ')}] and counts [${counts.shape.join(', ')}] ${counts.dtype} do not fit its ${classes.length} classes; the file is damaged`);
  }
  return { classes, table: { shape: table.shape, values: toFloat32(table, 'knowledge') }, counts: new Uint32Array(aligned(counts)), origin };
}

export function serializePartialKnowledge({ classes, origin, photosDone, sums, counts, variants }: PartialKnowledge): Uint8Array {
  return serializeSafetensors(
    [
      ['sums', { dtype: 'F64', shape: [classes.length, sums.length / classes.length], data: sums }],
      ['counts', { dtype: 'U32', shape: [counts.length], data: counts }],
    ],
    [['format', PARTIAL_FORMAT], ['classes', JSON.stringify(classes)], ['origin', JSON.stringify(origin)], ['photosDone', String(photosDone)], ['variants', JSON.stringify(variants)]],
  );
}

/** @throws KnowledgeError where the file holds no distillation under way, SafetensorsError where it is damaged */
export function parsePartialKnowledge(bytes: Uint8Array, fileName: string): PartialKnowledge {
  const { tensors, classes, origin, metadata } = readFile(bytes, fileName, PARTIAL_FORMAT);
  return {
    classes,
    origin,
    photosDone: Number(metadata.get('photosDone')),
    sums: new Float64Array(aligned(required(tensors, 'sums', fileName))),
    counts: new Uint32Array(aligned(required(tensors, 'counts', fileName))),
    variants: JSON.parse(metadata.get('variants') ?? '{}') as Record<string, string>,
  };
}

/**
 * The table's rows for a data set's classes.
 * @param teacher checksum of the teacher that training starts from, where it starts from one
 * @throws KnowledgeError where a class is missing or the teacher was another one
 */
export function knowledgeOf(classes: readonly string[], { classes: known, table, origin }: Knowledge, fileName: string, teacher?: string): StateTensor {
  const row = new Map(known.map((name, index) => [name, index]));
  const missing = classes.filter((name) => !row.has(name));
  if (missing.length > 0) {
    const shown = missing.slice(0, 8).join(', ') + (missing.length > 8 ? ` and ${missing.length - 8} more` : '');
    throw new KnowledgeError(`${fileName} knows nothing of ${shown}, which ${missing.length === 1 ? 'is' : 'are'} to be trained on; it is of other data. Distil from this data (sketchgrad distill)`);
  }
  if (teacher !== undefined && teacher !== origin.teacher) {
    throw new KnowledgeError(`${fileName} was distilled from the teacher ${origin.teacher.slice(0, 16)}, and the training starts from ${teacher.slice(0, 16)}; distil from the weights that it starts from (sketchgrad distill --weights)`);
  }
  const width = table.shape[1];
  const values = new Float32Array(classes.length * width);
  classes.forEach((name, index) => {
    const from = (row.get(name) as number) * width;
    values.set(table.values.subarray(from, from + width), index * width);
  });
  return { shape: [classes.length, width], values };
}

/** Whether two distillations do the same. */
export const sameOrigin = (a: KnowledgeOrigin, b: KnowledgeOrigin): boolean => canonicalJson(a) === canonicalJson(b);

function readFile(bytes: Uint8Array, fileName: string, format: string) {
  const { tensors, metadata } = parseSafetensors(bytes, fileName);
  if (metadata.get('format') !== format) throw new KnowledgeError(`${fileName} is no ${format}; a file that sketchgrad distill wrote is needed, and its format is ${metadata.get('format') ?? 'not given'}`);
  try {
    const classes = JSON.parse(metadata.get('classes') ?? '') as Json;
    const origin = JSON.parse(metadata.get('origin') ?? '') as unknown as KnowledgeOrigin;
    if (!Array.isArray(classes) || typeof origin?.reading?.temperature !== 'number') throw new TypeError('classes or origin are missing');
    return { tensors, metadata, classes: classes as readonly string[], origin };
  } catch (cause) {
    throw new KnowledgeError(`${fileName}: what it says of itself cannot be read (${(cause as Error).message}); the file is damaged`, { cause });
  }
}

function required(tensors: ReadonlyMap<string, StoredTensor>, name: string, fileName: string): StoredTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new KnowledgeError(`${fileName} has no tensor ${name}; the file is damaged`);
  return tensor;
}

/** A copy, at the start of a buffer of its own. (The `slice` of Node's Buffer, which bytes may be, copies nothing.) */
const aligned = ({ bytes }: StoredTensor): ArrayBuffer => new Uint8Array(bytes).buffer;
