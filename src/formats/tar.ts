/** The part of the tar format (POSIX ustar) that PyTorch's oldest files need: plain files, by name. */
import type { Fail } from './zip.ts';

const BLOCK = 512;
const PLAIN_FILE = ['0', '\0'];

/** Whether bytes begin with the header of a tar's member. */
export function isTar(bytes: Uint8Array): boolean {
  return bytes.length >= BLOCK && headerChecksum(bytes.subarray(0, BLOCK)) === readOctal(bytes, 148, 8);
}

/** Name and bytes (views) of each plain file; the first of a name counts. */
export function readTar(
  bytes: Uint8Array,
  fail: Fail,
): Map<string, { readonly start: number; readonly bytes: Uint8Array }> {
  const files = new Map<string, { readonly start: number; readonly bytes: Uint8Array }>();
  for (let position = 0; position + BLOCK <= bytes.length;) {
    const header = bytes.subarray(position, position + BLOCK);
    // Two blocks of zeros end the archive; one is enough to stop at.
    if (header.every((byte) => byte === 0)) break;
    if (headerChecksum(header) !== readOctal(header, 148, 8)) fail(`the tar header at byte ${position} is damaged`);
    const size = readOctal(header, 124, 12) ?? fail(`the tar header at byte ${position} has no size`);
    const start = position + BLOCK;
    if (start + size > bytes.length)
      fail(`the tar member at byte ${position} of ${size} bytes goes on after the file's end at byte ${bytes.length}`);
    const name = textOf(header, 0, 100);
    if (PLAIN_FILE.includes(String.fromCharCode(header[156])) && !files.has(name))
      files.set(name, { start, bytes: bytes.subarray(start, start + size) });
    position = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

/** The sum of the header's bytes, its own field counted as blanks. */
function headerChecksum(header: Uint8Array): number {
  return header.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0);
}

function readOctal(bytes: Uint8Array, start: number, length: number): number | undefined {
  const digits = textOf(bytes, start, length).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function textOf(bytes: Uint8Array, start: number, length: number): string {
  return new TextDecoder().decode(bytes.subarray(start, start + length)).split('\0', 1)[0];
}
