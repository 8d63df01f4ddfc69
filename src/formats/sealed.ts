/**
 * Safetensors files that know a digest of themselves. Every byte counts, of the header as of the data, but for the
 * digest's own 64 digits: SHA-256 over the SHA-256 of what is before them and the SHA-256 of what is after. It is in
 * the metadata under `digest`.
 *
 * A digest finds what a disk or a cut transfer did to a file. It proves nothing about who wrote the file.
 */
import { dataOffset, parseSafetensors, type SafetensorsFile } from './safetensors.ts';
import { serializeSafetensors } from './safetensors-writer.ts';
import { sha256 } from './sha256.ts';
import { quote } from './untrusted.ts';

/** The key of the digest in a file's metadata. */
export const DIGEST = 'digest';
const NO_DIGEST = '0'.repeat(64);

export type SealedContent = Parameters<typeof serializeSafetensors>;
type Fail = (problem: string) => never;

/** Writes a file with its digest. */
export async function serializeSealed(...[tensors, metadata = []]: SealedContent): Promise<Uint8Array> {
  const file = unsealed(tensors, metadata);
  const [before, digits, after] = partsOf(file, NO_DIGEST)!;
  digits.set(
    new TextEncoder().encode(
      hex(await platformHash(joined(...(await Promise.all([platformHash(before), platformHash(after)]))))),
    ),
  );
  return file;
}

/** `serializeSealed` at once, for small files: it takes several times as long for each byte. */
export function serializeSealedNow(...[tensors, metadata = []]: SealedContent): Uint8Array {
  const file = unsealed(tensors, metadata);
  const [before, digits, after] = partsOf(file, NO_DIGEST)!;
  digits.set(new TextEncoder().encode(hex(sha256(joined(sha256(before), sha256(after))))));
  return file;
}

/** A file's content, and whether it has a digest, which then has been verified. */
export interface UnsealedFile extends SafetensorsFile {
  readonly sealed: boolean;
}

/** SHA-256. */
export type Hash = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/**
 * Reads a file and verifies its digest, if it has one.
 * @param fail throws with what is wrong
 * @param hash for runtimes that have a faster one than WebCrypto, which copies the bytes
 * @throws SafetensorsError where it is no safetensors file
 */
export async function parseSealed(
  bytes: Uint8Array,
  fileName: string,
  fail: Fail,
  hash: Hash = platformHash,
): Promise<UnsealedFile> {
  const file = parseSafetensors(bytes, fileName);
  const written = file.metadata.get(DIGEST);
  if (written === undefined) return { ...file, sealed: false };
  const [before, , after] = partsOf(bytes, written) ?? fail(REWRITTEN);
  const [first, second] = await Promise.all([hash(before), hash(after)]);
  if (written !== hex(await hash(joined(first, second)))) fail(REWRITTEN);
  return { ...file, sealed: true };
}

/** `parseSealed` at once, for small files. */
export function parseSealedNow(bytes: Uint8Array, fileName: string, fail: Fail): UnsealedFile {
  const file = parseSafetensors(bytes, fileName);
  const written = file.metadata.get(DIGEST);
  if (written === undefined) return { ...file, sealed: false };
  const [before, , after] = partsOf(bytes, written) ?? fail(REWRITTEN);
  if (written !== hex(sha256(joined(sha256(before), sha256(after))))) fail(REWRITTEN);
  return { ...file, sealed: true };
}

/**
 * Checks the version of a file that names its format as `<format> <version>`.
 * @param newest the version that this program writes, and the first with a digest
 * @throws by `fail` where the format is another, the version is not known, or the digest is missing
 */
export function checkVersion({ metadata, sealed }: UnsealedFile, format: string, newest: number, fail: Fail): void {
  const said = metadata.get('format') ?? '';
  const version = said.startsWith(`${format} `) ? said.slice(format.length + 1) : '';
  if (!/^[1-9]\d*$/.test(version)) fail(`it is no file of the format "${format}"; its format is ${quote(said)}`);
  if (Number(version) > newest)
    fail(
      `it is of version ${version} of the format "${format}", and this program knows versions up to ${newest}; use a newer sketchgrad`,
    );
  if (Number(version) === newest && !sealed) fail('its digest is missing; the file is damaged');
}

const REWRITTEN = 'its digest is of other bytes; the file is damaged, or another program rewrote it';

function unsealed(tensors: SealedContent[0], metadata: Iterable<readonly [string, string]>): Uint8Array {
  return serializeSafetensors(tensors, [...metadata, [DIGEST, NO_DIGEST]]);
}

/**
 * The bytes before a digest, its digits, and those after. Quotation marks within a string of JSON are escaped, so that
 * the text can be nothing but the key with its value.
 */
function partsOf(
  bytes: Uint8Array,
  digest: string,
): readonly [before: Uint8Array, digits: Uint8Array, after: Uint8Array] | undefined {
  const key = `"${DIGEST}":"`;
  // A character a byte. Only of the header: the data can be hundreds of megabytes.
  const found = new TextDecoder('latin1').decode(bytes.subarray(0, dataOffset(bytes))).indexOf(`${key}${digest}"`);
  const start = found + key.length;
  const end = start + NO_DIGEST.length;
  return found < 0 || digest.length !== NO_DIGEST.length
    ? undefined
    : [bytes.subarray(0, start), bytes.subarray(start, end), bytes.subarray(end)];
}

const platformHash = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

const HEX_DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Bytes in hexadecimal digits. An index has a digest for each of its pictures, so this is made for many calls. */
export function hex(bytes: Uint8Array): string {
  let digits = '';
  for (const byte of bytes) digits += HEX_DIGITS[byte];
  return digits;
}
