import { toFloat32, type Dtype } from '../formats/safetensors.ts';
import type { TensorToStore } from '../formats/safetensors-writer.ts';
import { checkVersion, DIGEST, hex, parseSealed, serializeSealed } from '../formats/sealed.ts';
import type { State, StateTensor } from '../nn/state.ts';
import { BoundedError, isJsonObject, parseCount, parseJson, quoteValue } from '../formats/untrusted.ts';

/** Names of an optimizer's moments in a checkpoint begin with it. */
const MOMENT_PREFIX = 'optimizer.';
/** Names of tables in a checkpoint begin with it. */
const TABLE_PREFIX = 'table.';
/** Version 1 had no digest: there, `checksum` alone is verified, which is of the weights. */
const FORMAT = 'sketchgrad';
const VERSION = 2;

/** A file that is no model or checkpoint of ours. */
export class CheckpointError extends BoundedError {
  override readonly name = 'CheckpointError';
}

/** Anything that JSON holds: settings, class names. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A model file: weights in PyTorch's layout and names, and what is needed to use or to continue it. */
export interface ModelFile {
  /** The average, if the training averages its weights. */
  readonly state: State;
  /** `settings`, `classes` and whatever else the writer found worth keeping. */
  readonly about: Readonly<Record<string, Json>>;
  /** The identity of the model, whatever else the file holds; see `modelChecksum`. */
  readonly checksum: string;
  /**
   * The optimizer's moments and the loss scale by store name, and with an average of weights those that learn; empty in
   * a file that is for use only.
   */
  readonly moments: ReadonlyMap<string, State>;
  /**
   * What training needs besides, such as the teacher's knowledge of each class; no part of the model, nor of its
   * checksum.
   */
  readonly tables: State;
  /** Steps of training done. */
  readonly step: number;
}

/**
 * The identity of a model: SHA-256 in hexadecimal over names, shapes and float32 values of its weights, in the order of
 * the names, and over its `views` where they are not single. Embeddings of equal checksums can be compared.
 */
export async function modelChecksum(state: State, { views = 'single' }: ModelFile['about'] = {}): Promise<string> {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  for (const [name, { shape, values }] of [...state].sort(([a], [b]) => (a < b ? -1 : 1))) {
    parts.push(
      encoder.encode(`${name} [${shape.join(',')}]\n`),
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    );
  }
  if (views !== 'single') parts.push(encoder.encode(`views ${JSON.stringify(views)}\n`));
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', whole)));
}

/**
 * Whether a safetensors file with these metadata is to be read as a model or checkpoint of ours; with a digest,
 * whatever its damaged format says.
 */
export const isModelFile = (metadata: ReadonlyMap<string, string>): boolean =>
  metadata.has(DIGEST) || metadata.get('format')?.startsWith(`${FORMAT} `) === true;

/**
 * Writes a model or checkpoint with a digest over every byte of it.
 * @param dtype of matrices and convolutions; vectors (batch norm, biases) stay F32
 */
export async function serializeModel(
  {
    state,
    about,
    moments = new Map(),
    tables = new Map(),
    step = 0,
    checksum,
  }: Pick<ModelFile, 'state' | 'about'> & Partial<ModelFile>,
  dtype: 'F32' | 'F16' = 'F32',
): Promise<Uint8Array> {
  const tensors: [string, TensorToStore][] = [];
  const put = (name: string, { shape, values }: StateTensor): void => {
    const type: Dtype = shape.length > 1 ? dtype : 'F32';
    tensors.push([name, { dtype: type, shape, data: values }]);
  };
  for (const [name, tensor] of state) put(name, tensor);
  for (const [store, entries] of moments)
    for (const [name, tensor] of entries) put(`${MOMENT_PREFIX}${store}.${name}`, tensor);
  for (const [name, tensor] of tables) put(`${TABLE_PREFIX}${name}`, tensor);
  const metadata: [string, string][] = [
    ['format', `${FORMAT} ${VERSION}`],
    ['step', String(step)],
    ['about', JSON.stringify(about)],
  ];
  // Halves are rounded, so their checksum is that of what a reader will see.
  if (dtype === 'F32') metadata.push(['checksum', checksum ?? (await modelChecksum(state, about))]);
  return serializeSealed(tensors, metadata);
}

/**
 * Reads a model or checkpoint; foreign safetensors files (torchvision's, timm's) are read as weights without more.
 * @throws SafetensorsError; CheckpointError where the file is not what was written, or of a version that is not known
 */
export async function parseModel(bytes: Uint8Array, fileName: string): Promise<ModelFile> {
  const fail = (problem: string, cause?: unknown): never => {
    throw new CheckpointError(`${fileName}: ${problem}`, { cause });
  };
  const file = await parseSealed(bytes, fileName, fail);
  const { tensors, metadata, sealed } = file;
  if (isModelFile(metadata)) checkVersion(file, FORMAT, VERSION, fail);
  const state = new Map<string, StateTensor>();
  const moments = new Map<string, Map<string, StateTensor>>();
  const tables = new Map<string, StateTensor>();
  for (const [name, tensor] of tensors) {
    if (name.endsWith('num_batches_tracked')) continue;
    const entry = { shape: tensor.shape, values: toFloat32(tensor, `${fileName}, tensor ${name}`) };
    if (name.startsWith(TABLE_PREFIX)) {
      tables.set(name.slice(TABLE_PREFIX.length), entry);
      continue;
    }
    if (!name.startsWith(MOMENT_PREFIX)) {
      state.set(name, entry);
      continue;
    }
    const dot = name.indexOf('.', MOMENT_PREFIX.length);
    if (dot < 0) fail(`the tensor ${name} names no store of an optimizer; the file is damaged`);
    const store = name.slice(MOMENT_PREFIX.length, dot);
    if (!moments.has(store)) moments.set(store, new Map());
    moments.get(store)?.set(name.slice(dot + 1), entry);
  }
  const about = parseJson(metadata.get('about') ?? '{}', (problem, cause) =>
    fail(`the description of the model is ${problem}`, cause),
  );
  if (!isJsonObject(about))
    return fail(`the description of the model is ${quoteValue(about)}, and no object; the file is damaged`);
  const written = metadata.get('checksum');
  // Under a digest that was verified, the checksum is what its writer calculated.
  const checksum =
    sealed && written !== undefined && /^[0-9a-f]{64}$/.test(written) ? written : await modelChecksum(state, about as Record<string, Json>);
  if (written !== undefined && written !== checksum)
    fail(
      `the weights have checksum ${checksum.slice(0, 16)}, but ${written.slice(0, 16)} was written with them; the file is damaged`,
    );
  const step =
    parseCount(metadata.get('step') ?? '0') ??
    fail(`${quoteValue(metadata.get('step'))} is no number of steps; the file is damaged`);
  return { state, about: about as Record<string, Json>, checksum, moments, tables, step };
}

