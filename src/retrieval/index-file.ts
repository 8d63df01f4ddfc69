/**
 * The index of a searched collection: the embedding and the path of every picture, and the checksum of
 * the model that made the embeddings, because embeddings of two models cannot be compared. It is a
 * safetensors file with one tensor, `embeddings` [n, dimension] F32, rows of length 1; the rest is metadata.
 */

import { parseSafetensors, serializeSafetensors, toFloat32 } from '../formats/safetensors.ts';

export interface RetrievalIndex {
  /** [n, dimension], each row of length 1. */
  readonly embeddings: Float32Array;
  readonly dimension: number;
  /** The path of each row's picture, as the collection was given. */
  readonly paths: readonly string[];
  /** The checksum of the weights that made the embeddings. */
  readonly modelChecksum: string;
}

/** A file that is no index, or an index that contradicts itself. */
export class IndexFileError extends Error {
  override readonly name = 'IndexFileError';
}

/** An index is searched with another model than the one that made it. */
export class IndexModelMismatchError extends Error {
  override readonly name = 'IndexModelMismatchError';

  constructor(readonly indexChecksum: string, readonly modelChecksum: string) {
    super(`the index was made by the model ${indexChecksum}, and this model is ${modelChecksum}: their embeddings cannot be compared. Search with the checkpoint that made the index, or make the index again with this one (sketchgrad embed).`);
  }
}

const FORMAT = 'sketchgrad index';
const FORMAT_VERSION = '1';
/** How far from 1 the length of a row may be: far above the rounding of f32, far below what another scale would give. */
const LENGTH_TOLERANCE = 1e-3;

/**
 * Writes an index. The same index gives the same bytes.
 * @throws IndexFileError where sizes disagree or a row does not have length 1
 */
export function serializeIndex(index: RetrievalIndex): Uint8Array {
  checkIndex(index, 'the index to be written');
  const { embeddings, dimension, paths, modelChecksum } = index;
  return serializeSafetensors(
    [['embeddings', { dtype: 'F32', shape: [paths.length, dimension], data: embeddings }]],
    Object.entries({
      format: FORMAT,
      format_version: FORMAT_VERSION,
      model_checksum: modelChecksum,
      dimension: String(dimension),
      paths: JSON.stringify(paths),
    }),
  );
}

/**
 * Reads an index.
 * @param fileName for error messages
 * @throws SafetensorsError for a broken file, IndexFileError for a file that is no sound index
 */
export function openIndex(bytes: Uint8Array, fileName = 'index'): RetrievalIndex {
  const { tensors, metadata } = parseSafetensors(bytes, fileName);
  const stored = tensors.get('embeddings');
  if (metadata.get('format') !== FORMAT || stored === undefined) throw new IndexFileError(`${fileName} is a safetensors file but no index; make one with sketchgrad embed`);
  const version = metadata.get('format_version');
  if (version !== FORMAT_VERSION) throw new IndexFileError(`${fileName} has index format version ${version}, this program reads version ${FORMAT_VERSION}; make the index again`);
  const modelChecksum = metadata.get('model_checksum');
  if (modelChecksum === undefined) throw new IndexFileError(`${fileName} does not say which model made it; make the index again`);
  const dimension = Number(metadata.get('dimension'));
  const paths = readPaths(metadata.get('paths'), fileName);
  if (stored.dtype !== 'F32' || stored.shape.length !== 2 || stored.shape[0] !== paths.length || stored.shape[1] !== dimension) {
    throw new IndexFileError(`${fileName} holds embeddings ${stored.dtype} [${stored.shape.slice(0, 8).join(', ')}], its metadata tell of F32 [${paths.length}, ${dimension}]`);
  }
  const index = { embeddings: toFloat32(stored, fileName), dimension, paths, modelChecksum };
  checkIndex(index, fileName);
  return index;
}

/** @throws IndexModelMismatchError where another model made the index. */
export function assertSameModel(index: RetrievalIndex, checksum: string): void {
  if (index.modelChecksum !== checksum) throw new IndexModelMismatchError(index.modelChecksum, checksum);
}

function readPaths(json: string | undefined, fileName: string): string[] {
  let paths: unknown;
  try {
    paths = JSON.parse(json ?? '');
  } catch {
    paths = undefined;
  }
  if (!isListOfText(paths)) throw new IndexFileError(`${fileName} does not list the paths of its pictures; make the index again`);
  return paths;
}

function isListOfText(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function checkIndex({ embeddings, dimension, paths }: RetrievalIndex, fileName: string): void {
  if (!Number.isSafeInteger(dimension) || dimension < 1) throw new IndexFileError(`${fileName}: the dimension must be an integer above 0, and is ${dimension}`);
  if (embeddings.length !== paths.length * dimension) throw new IndexFileError(`${fileName}: ${paths.length} paths with ${dimension} values each do not make ${embeddings.length} values`);
  paths.forEach((path, row) => {
    const values = embeddings.subarray(row * dimension, (row + 1) * dimension);
    const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    // Written so that NaN fails too.
    if (!(Math.abs(length - 1) <= LENGTH_TOLERANCE)) throw new IndexFileError(`${fileName}: the embedding of ${path} (row ${row}) has length ${length} instead of 1`);
  });
}
