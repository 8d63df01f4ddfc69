/**
 * The index of icon sets: what `sketchgrad icons` writes and a search reads, in Node and in a page. It is a safetensors
 * file with a digest.
 *
 *     names            U8  the icons' names without their sets', in UTF-8, each with a line end; those of one set are consecutive, sorted
 *     styles           U8  [n] places in ICON_STYLES
 *     vectors          I8  [n, dimension], see int8-vectors.ts
 *     source.digests   U32 [n, 2] of each drawing, by which the next run knows what it need not embed again; may be absent
 *     source.thick     U8  [n] thickInk x 255, likewise
 *
 * The metadata hold the sets in their order, with licences and numbers of icons, and the checksum of the model that
 * made the vectors.
 */
import type { StoredTensor } from '../formats/safetensors.ts';
import type { TensorToStore } from '../formats/safetensors-writer.ts';
import { parseSealed, serializeSealed } from '../formats/sealed.ts';
import { isJsonObject, parseCount, parseJson, quote, quoteValue } from '../formats/untrusted.ts';
import { ICON_STYLES } from './icon-style.ts';
import { IndexFileError } from './index-file.ts';
import { rotateBack } from './rotation.ts';

/** The licence of an icon set. */
export interface IconLicence {
  /** Such as "Apache 2.0"; "unknown" where the set gives none. */
  readonly title: string;
  /** The identifier of SPDX, such as "Apache-2.0"; empty where the set gives none. */
  readonly spdx: string;
  /** Of the licence's text; empty where the set gives none. */
  readonly url: string;
}

/** An icon set of an index. */
export interface IndexedIconSet {
  readonly prefix: string;
  readonly title: string;
  readonly licence: IconLicence;
  /** Its icons in the index. */
  readonly count: number;
}

/** What a next run of `sketchgrad icons` takes over from an index. */
export interface IconSources {
  /** 64 bits of each drawing's digest, [n, 2]. */
  readonly digests: Uint32Array;
  /** [n]. */
  readonly thick: Uint8Array;
  /** What drew them. */
  readonly renderer: string;
}

/** An index of the icons of several sets. */
export interface IconIndex {
  readonly sets: readonly IndexedIconSet[];
  /** Without the sets' prefixes; the icons of the first set come first. */
  readonly names: readonly string[];
  /** Places in ICON_STYLES, [n]. */
  readonly styles: Uint8Array;
  /** [n, dimension], from `toInt8Vectors`. */
  readonly vectors: Int8Array;
  readonly dimension: number;
  /** The checksum of the weights that made the vectors. */
  readonly modelChecksum: string;
  readonly sources?: IconSources;
}

/** The command that makes an icon index, for messages. */
export const ICONS_COMMAND = 'sketchgrad icons';
const FORMAT = 'sketchgrad icons';
const FORMAT_VERSION = '1';
/** Of a set and of an icon, as Iconify requires them: they become part of addresses. */
const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/**
 * Writes an index. The same index gives the same bytes.
 * @throws IndexFileError where its parts disagree
 */
export async function serializeIconIndex(index: IconIndex): Promise<Uint8Array> {
  checkIconIndex(index, 'the icon index to be written');
  const { sets, names, styles, vectors, dimension, modelChecksum, sources } = index;
  const count = names.length;
  const text = new TextEncoder().encode(names.map((name) => `${name}\n`).join(''));
  const tensors: [string, TensorToStore][] = [
    ['names', { dtype: 'U8', shape: [text.length], data: text }],
    ['styles', { dtype: 'U8', shape: [count], data: styles }],
    ['vectors', { dtype: 'I8', shape: [count, dimension], data: vectors }],
  ];
  if (sources !== undefined)
    tensors.push(
      ['source.digests', { dtype: 'U32', shape: [count, 2], data: sources.digests }],
      ['source.thick', { dtype: 'U8', shape: [count], data: sources.thick }],
    );
  return serializeSealed(
    tensors,
    Object.entries({
      format: FORMAT,
      format_version: FORMAT_VERSION,
      model_checksum: modelChecksum,
      sets: JSON.stringify(sets),
      ...(sources !== undefined && { renderer: sources.renderer }),
    }),
  );
}

/**
 * Reads an index.
 * @param fileName for error messages
 * @throws SafetensorsError for a broken file, IndexFileError for a file that is no sound icon index, or not what was
 * written
 */
export async function openIconIndex(bytes: Uint8Array, fileName = 'icon index'): Promise<IconIndex> {
  const fail = (problem: string): never => {
    throw new IndexFileError(`${fileName}: ${problem}; make it again with ${ICONS_COMMAND}`);
  };
  const { tensors, metadata, sealed } = await parseSealed(bytes, fileName, fail);
  const format = metadata.get('format');
  if (format === 'sketchgrad index')
    throw new IndexFileError(
      `${fileName} is an index of pictures, which sketchgrad embed makes; search it with --index`,
    );
  if (format !== FORMAT)
    throw new IndexFileError(`${fileName} is a safetensors file but no icon index; make one with ${ICONS_COMMAND}`);
  const version = metadata.get('format_version');
  if (version !== FORMAT_VERSION)
    fail(`it has the format version ${quoteValue(version)}, and this program reads version ${FORMAT_VERSION}`);
  if (!sealed) fail('its digest is missing; the file is damaged');
  const names = namesOf(bytesOf(tensors.get('names'), 'U8', fail), fail);
  const vectors = tensors.get('vectors');
  const dimension = vectors?.shape.length === 2 ? vectors.shape[1] : 0;
  const index: IconIndex = {
    sets: setsOf(metadata.get('sets'), fail),
    names,
    styles: bytesOf(tensors.get('styles'), 'U8', fail),
    vectors: new Int8Array(bytesOf(vectors, 'I8', fail).buffer),
    dimension,
    modelChecksum: metadata.get('model_checksum') ?? '',
    ...(tensors.has('source.digests') && {
      sources: {
        digests: new Uint32Array(bytesOf(tensors.get('source.digests'), 'U32', fail).buffer),
        thick: bytesOf(tensors.get('source.thick'), 'U8', fail),
        renderer: metadata.get('renderer') ?? '',
      },
    }),
  };
  checkIconIndex(index, fileName);
  return index;
}

/** The row of an icon; undefined where the index does not have it. */
export function iconRow(
  { sets, names }: Pick<IconIndex, 'sets' | 'names'>,
  prefix: string,
  name: string,
): number | undefined {
  let first = 0;
  for (const set of sets) {
    if (set.prefix !== prefix) {
      first += set.count;
      continue;
    }
    let [low, high] = [first, first + set.count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (names[middle] < name) low = middle + 1;
      else high = middle;
    }
    return low < first + set.count && names[low] === name ? low : undefined;
  }
  return undefined;
}

/** `tabler:heart`. */
export function iconId({ sets, names }: Pick<IconIndex, 'sets' | 'names'>, row: number): string {
  return `${setOfRow(sets, row).prefix}:${names[row]}`;
}

/** The embedding of a row, up to the rounding to one byte a value and to its length. @returns [dimension] */
export function iconEmbedding(
  { vectors, dimension }: Pick<IconIndex, 'vectors' | 'dimension'>,
  row: number,
): Float32Array {
  return Float32Array.from(rotateBack(vectors.subarray(row * dimension, (row + 1) * dimension)));
}

/** The set of a row. @throws RangeError where the index has no such row */
export function setOfRow(sets: readonly IndexedIconSet[], row: number): IndexedIconSet {
  let end = 0;
  const found = sets.find(({ count }) => row < (end += count));
  if (found === undefined || row < 0) throw new RangeError(`the icon index has no row ${row}`);
  return found;
}

/** A copy, since the bytes of a file may begin anywhere. */
function bytesOf(
  tensor: StoredTensor | undefined,
  dtype: string,
  fail: (problem: string) => never,
): Uint8Array<ArrayBuffer> {
  if (tensor?.dtype !== dtype) return fail(`a tensor of ${dtype} is missing`);
  return new Uint8Array(tensor.bytes);
}

function namesOf(text: Uint8Array, fail: (problem: string) => never): string[] {
  const names = new TextDecoder().decode(text).split('\n');
  return names.pop() === '' ? names : fail('its names do not end with a line end');
}

function setsOf(json: string | undefined, fail: (problem: string) => never): IndexedIconSet[] {
  const sets = parseJson(json ?? '', (problem) => fail(`its list of sets is ${problem}`));
  const isText = (value: unknown): value is string => typeof value === 'string';
  if (!Array.isArray(sets)) return fail('its list of sets is no list');
  return sets.map((set: unknown): IndexedIconSet => {
    const { prefix, title, licence, count } = isJsonObject(set) ? set : {};
    const { title: licenceTitle, spdx, url } = isJsonObject(licence) ? licence : {};
    if (
      !isText(prefix) ||
      !isText(title) ||
      !isText(licenceTitle) ||
      !isText(spdx) ||
      !isText(url) ||
      parseCount(String(count)) === undefined
    )
      return fail(`its list of sets has ${quoteValue(set)}`);
    return { prefix, title, licence: { title: licenceTitle, spdx, url }, count: Number(count) };
  });
}

function checkIconIndex(
  { sets, names, styles, vectors, dimension, modelChecksum, sources }: IconIndex,
  fileName: string,
): void {
  const fail = (problem: string): never => {
    throw new IndexFileError(`${fileName}: ${problem}; make it again with ${ICONS_COMMAND}`);
  };
  if (modelChecksum === '') fail('it does not say which model made it');
  if (!Number.isSafeInteger(dimension) || dimension < 1)
    fail(`the dimension must be an integer above 0, and is ${dimension}`);
  const total = sets.reduce((sum, set) => sum + set.count, 0);
  const sizes = [
    names.length,
    styles.length,
    vectors.length / dimension,
    ...(sources === undefined ? [] : [sources.digests.length / 2, sources.thick.length]),
  ];
  if (sizes.some((size) => size !== total))
    fail(`its sets have ${total} icons, and its parts are of ${sizes.join(', ')}`);
  const misnamed = [...sets.map(({ prefix }) => prefix), ...names].find((name) => !NAME.test(name));
  if (misnamed !== undefined) fail(`${quote(misnamed)} is no name of a set or an icon`);
  if (new Set(sets.map(({ prefix }) => prefix)).size !== sets.length) fail('a set occurs twice');
  let first = 0;
  for (const { prefix, count } of sets) {
    for (let row = first + 1; row < first + count; row++)
      if (names[row - 1] >= names[row]) fail(`the names of ${prefix} are not sorted`);
    first += count;
  }
  if (styles.some((style) => style >= ICON_STYLES.length)) fail('it has styles that this program does not know');
}
