/**
 * A part of an index folder: the vectors of some pictures in one file, and their paths and stamps in another, both
 * safetensors with a digest of themselves.
 *
 * Vectors: `vectors` [n, dimension], F32 or F16, rows of length 1. Pictures: `paths` U8, the UTF-8 of all paths one
 * after the other; `offsets` U32 [n + 1], where each begins; `sizes` F64 [n] in bytes; `times` F64 [n], the last change
 * in milliseconds since 1970; `digests` U8 [n, 32], SHA-256 of the content.
 */
import { toFloat32, type Dtype, type StoredTensor } from '../../formats/safetensors.ts';
import { checkVersion, hex, parseSealed, serializeSealed, type Hash } from '../../formats/sealed.ts';
import { BoundedError } from '../../formats/untrusted.ts';

/** An index folder that cannot be read, or that contradicts itself. */
export class IndexFolderError extends BoundedError {
  override readonly name = 'IndexFolderError';
}

/** How vectors are stored. */
export type VectorType = 'F32' | 'F16';
export const VECTOR_TYPES: readonly VectorType[] = ['F32', 'F16'];

/** A picture, and what tells whether it has changed since it was embedded. */
export interface IndexedPicture {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** Of the last change, in milliseconds since 1970. */
  readonly time: number;
  /** SHA-256 of its content, 64 digits. */
  readonly digest: string;
}

/** The pictures of a part, column by column: what a search needs of millions of them. */
export interface PictureColumns {
  readonly paths: readonly string[];
  /** In bytes. */
  readonly sizes: Float64Array;
  /** Of the last change, in milliseconds since 1970. */
  readonly times: Float64Array;
  /** SHA-256 of the content, [n, 32]. */
  readonly digests: Uint8Array;
}

const VECTORS_FORMAT = 'sketchgrad index vectors';
const PICTURES_FORMAT = 'sketchgrad index pictures';
const VERSION = 1;
const DIGEST_BYTES = 32;
/** Of a part, so that offsets fit 32 bits and no file comes near 1 GiB. */
export const MOST_PATH_BYTES = 2 ** 28;

/** @param vectors [n, dimension] */
export function serializeVectors(vectors: Float32Array, dimension: number, type: VectorType): Promise<Uint8Array> {
  return serializeSealed(
    [['vectors', { dtype: type, shape: [vectors.length / dimension, dimension], data: vectors }]],
    [['format', `${VECTORS_FORMAT} ${VERSION}`]],
  );
}

/**
 * @param into takes the vectors, [n, dimension]; default: a new array
 * @returns [n, dimension]
 * @throws IndexFolderError, SafetensorsError where the file is damaged or of another shape
 */
export async function parseVectors(
  bytes: Uint8Array,
  fileName: string,
  { rows, dimension }: { readonly rows: number; readonly dimension: number },
  { into, hash }: { readonly into?: Float32Array; readonly hash?: Hash } = {},
): Promise<Float32Array> {
  const fail = failing(fileName);
  const file = await parseSealed(bytes, fileName, fail, hash);
  checkVersion(file, VECTORS_FORMAT, VERSION, fail);
  const stored = tensorOf(file.tensors, 'vectors', VECTOR_TYPES, [rows, dimension], fail);
  if (into === undefined) return toFloat32(stored, fileName);
  // The bytes of a file need not be aligned for an array of floats; those of the target are.
  if (stored.dtype === 'F32') new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(stored.bytes);
  else into.set(toFloat32(stored, fileName));
  return into;
}

export function serializePictures(pictures: readonly IndexedPicture[]): Promise<Uint8Array> {
  const encoder = new TextEncoder();
  const paths = pictures.map(({ path }) => encoder.encode(path));
  const offsets = new Uint32Array(pictures.length + 1);
  paths.forEach((path, index) => (offsets[index + 1] = offsets[index] + path.length));
  const text = new Uint8Array(offsets[pictures.length]);
  paths.forEach((path, index) => text.set(path, offsets[index]));
  const digests = new Uint8Array(pictures.length * DIGEST_BYTES);
  pictures.forEach(({ digest }, index) => digests.set(fromHex(digest), index * DIGEST_BYTES));
  const count = pictures.length;
  return serializeSealed(
    [
      ['paths', { dtype: 'U8', shape: [text.length], data: text }],
      ['offsets', { dtype: 'U32', shape: [count + 1], data: offsets }],
      ['sizes', { dtype: 'F64', shape: [count], data: Float64Array.from(pictures, ({ size }) => size) }],
      ['times', { dtype: 'F64', shape: [count], data: Float64Array.from(pictures, ({ time }) => time) }],
      ['digests', { dtype: 'U8', shape: [count, DIGEST_BYTES], data: digests }],
    ],
    [['format', `${PICTURES_FORMAT} ${VERSION}`]],
  );
}

/** @throws IndexFolderError, SafetensorsError where the file is damaged or of another number of pictures */
export async function parsePictureColumns(
  bytes: Uint8Array,
  fileName: string,
  count: number,
  hash?: Hash,
): Promise<PictureColumns> {
  const fail = failing(fileName);
  const file = await parseSealed(bytes, fileName, fail, hash);
  checkVersion(file, PICTURES_FORMAT, VERSION, fail);
  const tensor = (name: string, dtype: Dtype, shape?: readonly number[]): ArrayBuffer =>
    // A copy is aligned; a view of the file need not be.
    new Uint8Array(tensorOf(file.tensors, name, [dtype], shape, fail).bytes).buffer;
  const text = tensorOf(file.tensors, 'paths', ['U8'], undefined, fail).bytes;
  const offsets = new Uint32Array(tensor('offsets', 'U32', [count + 1]));
  const sizes = new Float64Array(tensor('sizes', 'F64', [count]));
  const times = new Float64Array(tensor('times', 'F64', [count]));
  const digests = new Uint8Array(tensor('digests', 'U8', [count, DIGEST_BYTES]));
  if (offsets[0] !== 0 || offsets[count] !== text.length || offsets.some((at, i) => i > 0 && at < offsets[i - 1]))
    fail('the offsets of its paths do not divide them');
  return { paths: decodePaths(text, offsets, fail), sizes, times, digests };
}

/** @param offsets of each path in the text, and the end of the last, [n + 1] */
function decodePaths(text: Uint8Array, offsets: Uint32Array, fail: Fail): string[] {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const all = decodeText(decoder, text, fail);
  const paths = new Array<string>(offsets.length - 1);
  // In ASCII a character is a byte: pieces of one string take half the time of decoding each path.
  const isAscii = all.length === text.length;
  for (let row = 0; row < paths.length; row++)
    paths[row] = isAscii
      ? all.substring(offsets[row], offsets[row + 1])
      : decodeText(decoder, text.subarray(offsets[row], offsets[row + 1]), fail);
  return paths;
}

/** @throws IndexFolderError, SafetensorsError where the file is damaged, or has other pictures than `count` */
export async function parsePictures(bytes: Uint8Array, fileName: string, count: number): Promise<IndexedPicture[]> {
  const { paths, sizes, times, digests } = await parsePictureColumns(bytes, fileName, count);
  return paths.map((path, index) => ({
    path,
    size: sizes[index],
    time: times[index],
    digest: hex(digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES)),
  }));
}

type Fail = (problem: string) => never;

const failing =
  (fileName: string): Fail =>
  (problem) => {
    throw new IndexFolderError(`${fileName}: ${problem}; make the index again`);
  };

function tensorOf(
  tensors: ReadonlyMap<string, StoredTensor>,
  name: string,
  types: readonly Dtype[],
  shape: readonly number[] | undefined,
  fail: Fail,
): StoredTensor {
  const stored = tensors.get(name) ?? fail(`it has no tensor ${name}`);
  const wanted = shape ?? stored.shape.slice(0, 1);
  if (!types.includes(stored.dtype) || String(stored.shape) !== String(wanted))
    fail(
      `its tensor ${name} is ${stored.dtype} [${stored.shape.slice(0, 8).join(', ')}], where ${types.join(' or ')} [${wanted.join(', ')}] is needed`,
    );
  return stored;
}

function decodeText(decoder: TextDecoder, bytes: Uint8Array, fail: Fail): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return fail('a path is not UTF-8');
  }
}

const fromHex = (digits: string): Uint8Array =>
  Uint8Array.from({ length: digits.length / 2 }, (_, index) => parseInt(digits.slice(2 * index, 2 * index + 2), 16));
