/**
 * The index of a searched collection: the embedding and the path of every picture, and the checksum of the model that
 * made the embeddings, because embeddings of two models cannot be compared. It is a safetensors file with the tensor
 * `embeddings` [n, dimension] F32, rows of length 1; the rest is metadata. Where it has binary codes, they are in
 * `codes` [n, words] U32, and what makes the code of a query is in `codes.mean` [dimension] and `codes.projection`
 * [dimension, bits], both F32.
 */

import { toFloat32, type StoredTensor } from '../formats/safetensors.ts';
import type { TensorToStore } from '../formats/safetensors-writer.ts';
import { parseSealedNow, serializeSealedNow } from '../formats/sealed.ts';
import { codeWords, type BinaryCoder } from './binary-codes.ts';
import { BoundedError, parseCount, parseJson, quote, quoteValue } from '../formats/untrusted.ts';

/** The embeddings of a gallery, and what identifies them. */
export interface RetrievalIndex {
  /** [n, dimension], each row of length 1. */
  readonly embeddings: Float32Array;
  readonly dimension: number;
  /** The path of each row's picture, as the collection was given. */
  readonly paths: readonly string[];
  /** The checksum of the weights that made the embeddings. */
  readonly modelChecksum: string;
  readonly codes?: IndexedCodes;
  /** Dates and sizes of the pictures' files. Index folders store them, index files do not. */
  readonly stamps?: PictureStamps;
}

/** What is known of each picture's file, [n]; 0 where its source did not tell. */
export interface PictureStamps {
  /** In bytes. */
  readonly sizes: Float64Array;
  /** Of the last change, in milliseconds since 1970. */
  readonly times: Float64Array;
}

/** The binary codes of an index. */
export interface IndexedCodes {
  readonly coder: BinaryCoder;
  /** [n, codeWords(bits)]. */
  readonly rows: Uint32Array;
  /** What the coder was fitted on, in words. */
  readonly fittedOn: string;
}

/** A file that is no index, or an index that contradicts itself. */
export class IndexFileError extends BoundedError {
  override readonly name = 'IndexFileError';
}

/** An index is searched with another model than the one that made it. */
export class IndexModelMismatchError extends BoundedError {
  override readonly name = 'IndexModelMismatchError';

  /** @param command that makes the index */
  constructor(
    readonly indexChecksum: string,
    readonly modelChecksum: string,
    command = 'sketchgrad embed',
  ) {
    super(
      `the index was made by the model ${indexChecksum}, and this model is ${modelChecksum}: their embeddings cannot be compared. Search with the checkpoint that made the index, or make the index again with this one (${command}).`,
    );
  }
}

const FORMAT = 'sketchgrad index';
/** Version 1 had no digest. */
const FORMAT_VERSION = '2';
const READABLE_VERSIONS: readonly (string | undefined)[] = ['1', FORMAT_VERSION];
/**
 * How far from 1 the length of a row may be: far above the rounding of f32, far below what another scale would give.
 */
const LENGTH_TOLERANCE = 1e-3;

/**
 * Writes an index. The same index gives the same bytes.
 * @throws IndexFileError where sizes disagree or a row does not have length 1
 */
export function serializeIndex(index: RetrievalIndex): Uint8Array {
  checkIndex(index, 'the index to be written');
  const { embeddings, dimension, paths, modelChecksum, codes } = index;
  const tensors: [string, TensorToStore][] = [
    ['embeddings', { dtype: 'F32', shape: [paths.length, dimension], data: embeddings }],
  ];
  if (codes !== undefined) {
    const {
      coder: { bits, mean, projection },
      rows,
    } = codes;
    tensors.push(
      ['codes', { dtype: 'U32', shape: [paths.length, codeWords(bits)], data: rows }],
      ['codes.mean', { dtype: 'F32', shape: [dimension], data: mean }],
      ['codes.projection', { dtype: 'F32', shape: [dimension, bits], data: projection }],
    );
  }
  return serializeSealedNow(
    tensors,
    Object.entries({
      format: FORMAT,
      format_version: FORMAT_VERSION,
      model_checksum: modelChecksum,
      dimension: String(dimension),
      paths: JSON.stringify(paths),
      ...(codes !== undefined && { codes_fitted_on: codes.fittedOn }),
    }),
  );
}

/**
 * Reads an index.
 * @param fileName for error messages
 * @throws SafetensorsError for a broken file, IndexFileError for a file that is no sound index, or not what was written
 */
export function openIndex(bytes: Uint8Array, fileName = 'index'): RetrievalIndex {
  const { tensors, metadata, sealed } = parseSealedNow(bytes, fileName, (problem) => {
    throw new IndexFileError(`${fileName}: ${problem}; make the index again`);
  });
  const stored = tensors.get('embeddings');
  if (metadata.get('format') === 'sketchgrad icons')
    throw new IndexFileError(`${fileName} is an index of icons, which sketchgrad icons makes; search it with --icons`);
  if (metadata.get('format') !== FORMAT || stored === undefined)
    throw new IndexFileError(`${fileName} is a safetensors file but no index; make one with sketchgrad embed`);
  const version = metadata.get('format_version');
  if (!READABLE_VERSIONS.includes(version))
    throw new IndexFileError(
      `${fileName} has index format version ${quoteValue(version)}, this program reads versions up to ${FORMAT_VERSION}; make the index again`,
    );
  if (version === FORMAT_VERSION && !sealed)
    throw new IndexFileError(`${fileName}: its digest is missing; the file is damaged. Make the index again`);
  const modelChecksum = metadata.get('model_checksum');
  if (modelChecksum === undefined || modelChecksum === '')
    throw new IndexFileError(`${fileName} does not say which model made it; make the index again`);
  const dimension = parseCount(metadata.get('dimension')) ?? NaN;
  const paths = readPaths(metadata.get('paths'), fileName);
  if (
    stored.dtype !== 'F32' ||
    stored.shape.length !== 2 ||
    stored.shape[0] !== paths.length ||
    stored.shape[1] !== dimension
  ) {
    throw new IndexFileError(
      `${fileName} holds embeddings ${stored.dtype} [${stored.shape.slice(0, 8).join(', ')}], its metadata tell of F32 [${paths.length}, ${dimension}]`,
    );
  }
  const codes = readCodes(tensors, metadata.get('codes_fitted_on') ?? 'unknown', paths.length, dimension, fileName);
  const index = {
    embeddings: toFloat32(stored, fileName),
    dimension,
    paths,
    modelChecksum,
    ...(codes !== undefined && { codes }),
  };
  checkIndex(index, fileName);
  return index;
}

/**
 * @param command that makes the index, for the message
 * @throws IndexModelMismatchError where another model made the index
 */
export function assertSameModel(
  index: Pick<RetrievalIndex, 'modelChecksum'>,
  checksum: string,
  command?: string,
): void {
  if (index.modelChecksum !== checksum) throw new IndexModelMismatchError(index.modelChecksum, checksum, command);
}

function readCodes(
  tensors: ReadonlyMap<string, StoredTensor>,
  fittedOn: string,
  count: number,
  dimension: number,
  fileName: string,
): IndexedCodes | undefined {
  const [rows, mean, projection] = ['codes', 'codes.mean', 'codes.projection'].map((name) => tensors.get(name));
  if (rows === undefined && mean === undefined && projection === undefined) return undefined;
  if (rows?.dtype !== 'U32' || mean?.dtype !== 'F32' || projection?.dtype !== 'F32' || projection.shape.length !== 2) {
    throw new IndexFileError(
      `${fileName} has only a part of binary codes; codes (U32), codes.mean and codes.projection (F32) belong together. Make the index again`,
    );
  }
  const shapes = [rows, mean, projection].map(({ shape }) => `[${shape.join(', ')}]`).join(', ');
  const expected = [[count, codeWords(projection.shape[1])], [dimension], [dimension, projection.shape[1]]]
    .map((shape) => `[${shape.join(', ')}]`)
    .join(', ');
  if (shapes !== expected)
    throw new IndexFileError(
      `${fileName}: codes, codes.mean and codes.projection are ${shapes}, where ${expected} are needed; they do not belong to its embeddings. Make the index again`,
    );
  // A copy, as the bytes of a file may begin anywhere.
  const words = new Uint32Array(new Uint8Array(rows.bytes).buffer);
  const coder = {
    bits: projection.shape[1],
    dimension,
    mean: toFloat32(mean, fileName),
    projection: toFloat32(projection, fileName),
  };
  return { coder, rows: words, fittedOn };
}

function readPaths(json: string | undefined, fileName: string): string[] {
  const fail = (): never => {
    throw new IndexFileError(`${fileName} does not list the paths of its pictures; make the index again`);
  };
  const paths = parseJson(json ?? '', fail);
  return isListOfText(paths) ? paths : fail();
}

function isListOfText(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function checkIndex({ embeddings, dimension, paths, codes }: RetrievalIndex, fileName: string): void {
  if (!Number.isSafeInteger(dimension) || dimension < 1)
    throw new IndexFileError(`${fileName}: the dimension must be an integer above 0, and is ${dimension}`);
  if (embeddings.length !== paths.length * dimension)
    throw new IndexFileError(
      `${fileName}: ${paths.length} paths with ${dimension} values each do not make ${embeddings.length} values`,
    );
  paths.forEach((path, row) => {
    const values = embeddings.subarray(row * dimension, (row + 1) * dimension);
    const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    // Written so that NaN fails too.
    if (!(Math.abs(length - 1) <= LENGTH_TOLERANCE))
      throw new IndexFileError(
        `${fileName}: the embedding of ${quote(path)} (row ${row}) has length ${length} instead of 1`,
      );
  });
  if (codes === undefined) return;
  const {
    coder: { bits, mean, projection },
    rows,
  } = codes;
  if (
    bits < 1 ||
    rows.length !== paths.length * codeWords(bits) ||
    mean.length !== dimension ||
    projection.length !== dimension * bits
  ) {
    throw new IndexFileError(
      `${fileName}: the codes of ${bits} bits (${rows.length} words, a mean of ${mean.length}, a projection of ${projection.length} values) do not belong to ${paths.length} embeddings of ${dimension} values`,
    );
  }
  for (const values of [mean, projection])
    if (!values.every(Number.isFinite))
      throw new IndexFileError(`${fileName}: what makes its codes has a value that is not finite`);
}
