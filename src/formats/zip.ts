/**
 * The part of the ZIP format that PyTorch's files need (PKWARE's APPNOTE.TXT 6.3): the directory at the end, its 64-bit
 * form, entries that are stored or deflated. No library on npm reads an archive as views of its bytes with every size
 * checked against the file first; inflating is the platform's.
 *
 * A file may come from anywhere: nothing is allocated from a size that it merely declares, and an entry that inflates
 * to more than it declares, or than MOST_INFLATION times the archive, is an error.
 */

import { quote } from './untrusted.ts';

/** Says what is wrong, with the place, and never returns. */
export type Fail = (problem: string) => never;

export interface ZipEntry {
  readonly name: string;
  /** Where its (compressed) bytes begin in the archive. */
  readonly start: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly deflated: boolean;
  readonly checksum: number;
}

/** All inflated bytes together over the archive's: far above what weights compress by, far below deflate's 1032. */
const MOST_INFLATION = 32;

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;
const LOCATOR_SIGNATURE = 0x07064b50;
const LOCATOR_BYTES = 20;
const END64_SIGNATURE = 0x06064b50;
const END64_BYTES = 56;
const DIRECTORY_SIGNATURE = 0x02014b50;
const DIRECTORY_ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_HEADER_BYTES = 30;
const ZIP64_EXTRA = 1;
const IN_ZIP64 = 0xffffffff;
const ENCRYPTED = 1;

/** Whether bytes begin as an archive with at least one entry does. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === LOCAL_SIGNATURE;
}

/** The entries of an archive by name, each within the archive's bytes. */
export function readZipDirectory(archive: Uint8Array, fail: Fail): Map<string, ZipEntry> {
  const view = viewOf(archive);
  const directory = findDirectory(view, fail);
  const entries = new Map<string, ZipEntry>();
  let position = directory.start;
  let declared = 0;
  while (position < directory.end) {
    if (position + DIRECTORY_ENTRY_BYTES > directory.end || view.getUint32(position, true) !== DIRECTORY_SIGNATURE)
      fail(`the ZIP directory has no entry at byte ${position}, where one must begin`);
    const nameLength = view.getUint16(position + 28, true);
    const extraLength = view.getUint16(position + 30, true);
    const next = position + DIRECTORY_ENTRY_BYTES + nameLength + extraLength + view.getUint16(position + 32, true);
    if (next > directory.end) fail(`the entry at byte ${position} goes on after the ZIP directory's end`);
    const nameStart = position + DIRECTORY_ENTRY_BYTES;
    const entry = readEntry(archive, position, nameStart, nameLength, extraLength, directory.start, fail);
    if (entries.has(entry.name)) fail(`the ZIP entry ${quote(entry.name)} is there twice`);
    entries.set(entry.name, entry);
    if (entry.deflated) declared += entry.size;
    position = next;
  }
  if (entries.size !== directory.count)
    fail(`the ZIP directory should have ${directory.count} entries and has ${entries.size}`);
  if (declared > MOST_INFLATION * archive.length)
    fail(
      `its entries declare ${declared} bytes once inflated, more than ${MOST_INFLATION} times the file's ${archive.length}; nothing was inflated`,
    );
  return entries;
}

/** An entry's bytes: a view where it is stored, and inflated and checked where it is deflated. */
export async function readZipEntry(archive: Uint8Array, entry: ZipEntry, fail: Fail): Promise<Uint8Array> {
  const bytes = archive.subarray(entry.start, entry.start + entry.compressedSize);
  return entry.deflated ? inflate(bytes, entry, fail) : bytes;
}

function findDirectory(
  view: DataView,
  fail: Fail,
): { readonly start: number; readonly end: number; readonly count: number } {
  let end = view.byteLength - END_BYTES;
  const lowest = Math.max(0, end - LONGEST_COMMENT);
  const isEnd = (at: number): boolean =>
    view.getUint32(at, true) === END_SIGNATURE && at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength;
  while (end >= lowest && !isEnd(end)) end--;
  if (end < lowest) fail('the ZIP directory at its end is missing: the file is cut short or damaged');

  let count = view.getUint16(end + 10, true);
  let size = view.getUint32(end + 12, true);
  let start = view.getUint32(end + 16, true);
  let limit = end;
  const locator = end - LOCATOR_BYTES;
  if (locator >= 0 && view.getUint32(locator, true) === LOCATOR_SIGNATURE) {
    const end64 = toNumber(view.getBigUint64(locator + 8, true));
    if (end64 + END64_BYTES > locator || view.getUint32(end64, true) !== END64_SIGNATURE)
      fail(`the 64-bit end of the ZIP directory is not at byte ${end64}, where it should be`);
    count = toNumber(view.getBigUint64(end64 + 32, true));
    size = toNumber(view.getBigUint64(end64 + 40, true));
    start = toNumber(view.getBigUint64(end64 + 48, true));
    limit = end64;
  }
  if (start + size > limit)
    fail(
      `the ZIP directory should lie in bytes ${start} to ${start + size}, and byte ${limit} is after its end already`,
    );
  return { start, end: start + size, count };
}

function readEntry(
  archive: Uint8Array,
  position: number,
  nameStart: number,
  nameLength: number,
  extraLength: number,
  directoryStart: number,
  fail: Fail,
): ZipEntry {
  const view = viewOf(archive);
  const name = textDecoder.decode(archive.subarray(nameStart, nameStart + nameLength));
  const place = `the ZIP entry ${quote(name)}`;
  const flags = view.getUint16(position + 8, true);
  const method = view.getUint16(position + 10, true);
  if ((flags & ENCRYPTED) !== 0) fail(`${place} is encrypted`);
  if (method !== 0 && method !== 8)
    fail(`${place} is compressed by method ${method}; only stored (0) and deflated (8) ones can be read`);

  let compressedSize = view.getUint32(position + 20, true);
  let size = view.getUint32(position + 24, true);
  let header = view.getUint32(position + 42, true);
  if (compressedSize === IN_ZIP64 || size === IN_ZIP64 || header === IN_ZIP64) {
    // What did not fit 32 bits follows in the extra field, in this order and without what did fit.
    let at = findZip64(view, nameStart + nameLength, extraLength);
    const next = (): number => {
      if (at.end - at.start < 8) fail(`${place} lacks a 64-bit size`);
      const value = toNumber(view.getBigUint64(at.start, true));
      at = { start: at.start + 8, end: at.end };
      return value;
    };
    if (size === IN_ZIP64) size = next();
    if (compressedSize === IN_ZIP64) compressedSize = next();
    if (header === IN_ZIP64) header = next();
  }
  if (header + LOCAL_HEADER_BYTES > directoryStart || view.getUint32(header, true) !== LOCAL_SIGNATURE)
    fail(`${place} should begin at byte ${header}, and does not`);
  const start = header + LOCAL_HEADER_BYTES + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
  if (start + compressedSize > directoryStart)
    fail(
      `${place} of ${compressedSize} bytes at byte ${start} reaches into the ZIP directory at byte ${directoryStart}`,
    );
  if (method === 0 && size !== compressedSize)
    fail(`${place} is stored with ${compressedSize} bytes and declares ${size}`);
  return { name, start, compressedSize, size, deflated: method === 8, checksum: view.getUint32(position + 16, true) };
}

function findZip64(view: DataView, start: number, length: number): { readonly start: number; readonly end: number } {
  for (let at = start; at + 4 <= start + length;) {
    const end = at + 4 + view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === ZIP64_EXTRA) return { start: at + 4, end: Math.min(end, start + length) };
    at = end;
  }
  return { start, end: start };
}

/**
 * Inflates by the platform's gzip, which differs from ZIP's deflate by ten bytes before and eight after (RFC 1952).
 * These eight are the checksum and the size that the ZIP directory gives, so that the platform checks them.
 * (`deflate-raw` would not, and Node had it late.)
 */
async function inflate(bytes: Uint8Array, { name, size, checksum }: ZipEntry, fail: Fail): Promise<Uint8Array> {
  const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
  const trailer = new Uint8Array(8);
  viewOf(trailer).setUint32(0, checksum, true);
  viewOf(trailer).setUint32(4, size % 2 ** 32, true);
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    // A Blob wants memory that is not shared; files' is not.
    const stream = new Blob([header, bytes as Uint8Array<ArrayBuffer>, trailer])
      .stream()
      .pipeThrough(new DecompressionStream('gzip'));
    const reader = stream.getReader();
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      const chunk = value as Uint8Array;
      length += chunk.length;
      if (length > size) {
        await reader.cancel();
        break;
      }
      chunks.push(chunk);
    }
  } catch (cause) {
    fail(`the ZIP entry ${quote(name)} is damaged: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (length !== size)
    fail(
      `the ZIP entry ${quote(name)} inflates to ${length > size ? 'more' : `${length} bytes, less`} than the ${size} bytes that it declares`,
    );
  const result = new Uint8Array(size);
  let position = 0;
  for (const chunk of chunks) {
    result.set(chunk, position);
    position += chunk.length;
  }
  return result;
}

const textDecoder = new TextDecoder();
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
/** Beyond 2^53 it is rounded, and beyond any file's end in any case. */
const toNumber = (value: bigint): number => Number(value);
