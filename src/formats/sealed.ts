/**
 * Safetensors files that know a digest of themselves. Every byte counts, of the header as of the data, but for the digest's own 64
 * digits: SHA-256 over the SHA-256 of what is before them and the SHA-256 of what is after. It is in the metadata under `digest`.
 *
 * A digest finds what a disk or a cut transfer did to a file. It proves nothing about who wrote the file.
 */
import { parseSafetensors, serializeSafetensors, type SafetensorsFile } from './safetensors.ts';
import { sha256 } from './sha256.ts';
import { quote } from './untrusted.ts';

const DIGEST = 'digest';
const NO_DIGEST = '0'.repeat(64);
const LENGTH_BYTES = 8;

export type SealedContent = Parameters<typeof serializeSafetensors>;
type Hash<Result> = (bytes: Uint8Array) => Result;

/** Writes a file with its digest. */
export async function serializeSealed(...[tensors, metadata = []]: SealedContent): Promise<Uint8Array> {
  const file = unsealed(tensors, metadata);
  const [before, digits, after] = partsOf(file, NO_DIGEST)!;
  digits.set(new TextEncoder().encode(hex(await platformHash(joined(...await Promise.all([platformHash(before), platformHash(after)]))))));
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

/**
 * Reads a file and verifies its digest, if it has one.
 * @param fail throws with what is wrong
 * @throws SafetensorsError where it is no safetensors file
 */
export async function parseSealed(bytes: Uint8Array, fileName: string, fail: (problem: string) => never): Promise<UnsealedFile> {
  const file = parseSafetensors(bytes, fileName);
  const parts = sealedParts(bytes, file, fail);
  if (parts === undefined) return { ...file, sealed: false };
  const [before, , after] = parts;
  verify(file, hex(await platformHash(joined(...await Promise.all([platformHash(before), platformHash(after)])))), fail);
  return { ...file, sealed: true };
}

/** `parseSealed` at once, for small files. */
export function parseSealedNow(bytes: Uint8Array, fileName: string, fail: (problem: string) => never): UnsealedFile {
  const file = parseSafetensors(bytes, fileName);
  const parts = sealedParts(bytes, file, fail);
  if (parts === undefined) return { ...file, sealed: false };
  const [before, , after] = parts;
  verify(file, hex(sha256(joined(sha256(before), sha256(after)))), fail);
  return { ...file, sealed: true };
}

/**
 * The version of a file that names its format as `<format> <version>`.
 * @param newest the version that this program writes, from which on files have a digest
 * @throws by `fail` where the format is another, the version is not known, or the digest is missing
 */
export function checkVersion({ metadata, sealed }: Pick<UnsealedFile, 'metadata' | 'sealed'>, format: string, newest: number, fail: (problem: string) => never): number {
  const said = metadata.get('format');
  const version = said?.startsWith(`${format} `) === true ? said.slice(format.length + 1) : undefined;
  if (version === undefined || !/^[1-9]\d{0,5}$/.test(version)) return fail(`it is no file of the format "${format}"; its format is ${said === undefined ? 'not given' : quote(said)}`);
  if (Number(version) > newest) fail(`it is of version ${version} of the format "${format}", and this program knows versions up to ${newest}; use the sketchgrad that wrote it, or a newer one`);
  if (Number(version) === newest && !sealed) fail('its digest is missing; the file is damaged');
  return Number(version);
}

function unsealed(tensors: SealedContent[0], metadata: Iterable<readonly [string, string]>): Uint8Array {
  return serializeSafetensors(tensors, [...metadata, [DIGEST, NO_DIGEST]]);
}

function sealedParts(bytes: Uint8Array, { metadata }: SafetensorsFile, fail: (problem: string) => never): Parts | undefined {
  const written = metadata.get(DIGEST);
  if (written === undefined) return undefined;
  return (/^[0-9a-f]{64}$/.test(written) && partsOf(bytes, written)) || fail(`its digest is ${quote(written)}, and no place of it is found in the header; the file is damaged, or another program rewrote it`);
}

type Parts = readonly [before: Uint8Array, digits: Uint8Array, after: Uint8Array];

/** Quotation marks within a string of JSON are escaped, so that this text can be nothing but the key with its value. */
function partsOf(bytes: Uint8Array, digest: string): Parts | undefined {
  const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = new TextDecoder('latin1').decode(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + headerLength));
  const key = `"${DIGEST}":"`;
  const found = header.indexOf(`${key}${digest}"`);
  if (found < 0) return undefined;
  const start = LENGTH_BYTES + found + key.length;
  const end = start + digest.length;
  return [bytes.subarray(0, start), bytes.subarray(start, end), bytes.subarray(end)];
}

function verify({ metadata }: SafetensorsFile, digest: string, fail: (problem: string) => never): void {
  const written = metadata.get(DIGEST);
  if (written !== digest) fail(`its bytes have the digest ${digest.slice(0, 16)}, and ${written?.slice(0, 16)} was written with them; the file is damaged`);
}

const platformHash: Hash<Promise<Uint8Array>> = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Bytes in hexadecimal digits. */
export const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
