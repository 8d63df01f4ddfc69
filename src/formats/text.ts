/**
 * Text files that people write: on Windows some editors and shells write UTF-16, and a byte order mark before UTF-8.
 */
import { BoundedError } from './untrusted.ts';

/** Bytes that are no text. The message says which encodings are read. */
export class TextError extends BoundedError {
  override readonly name = 'TextError';
}

/**
 * Decodes UTF-8 or UTF-16, told by the byte order mark, which is removed. Without a mark, a zero in one of the first
 * two bytes tells UTF-16: no text begins with U+0000.
 * @throws TextError where the bytes are neither
 */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  const little = (first === 0xff && second === 0xfe) || (first !== 0 && second === 0);
  const big = (first === 0xfe && second === 0xff) || (first === 0 && second !== undefined && second !== 0);
  try {
    return new TextDecoder(little ? 'utf-16le' : big ? 'utf-16be' : 'utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TextError(`the file is no text in ${little || big ? 'UTF-16' : 'UTF-8'}; save it as UTF-8`, { cause });
  }
}
