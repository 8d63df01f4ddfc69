import type { IncomingMessage } from 'node:http';
import { imageSize } from '../platform/node/images.ts';

/** A request that is refused, with the status that says why (RFC 9110, section 15). */
export class RequestError extends Error {
  override readonly name = 'RequestError';

  constructor(readonly status: 400 | 404 | 405 | 413 | 415 | 421 | 503, message: string, readonly headers: Readonly<Record<string, string>> = {}) {
    super(message);
  }
}

export interface PictureLimits {
  /** Bytes of a picture as it is sent. */
  readonly mostBytes: number;
  /** Its pixels: a few bytes can unpack to gigabytes. */
  readonly mostPixels: number;
}

/** Bytes in which each kind shows itself. */
const SIGNATURE_BYTES = 12;
const MEGABYTE = 1e6;

/**
 * Reads the picture that is a request's body. What is not wanted is refused as early as it shows, and not read on.
 * @throws RequestError 413 for too many bytes or pixels, 415 for another kind, 400 for nothing; the stream's error where the sender breaks off
 * @throws ImageError where its header cannot be read
 */
export async function readPictureBody(request: IncomingMessage, { mostBytes, mostPixels }: PictureLimits): Promise<Uint8Array> {
  const tooLarge = new RequestError(413, `a picture may have ${mostBytes / MEGABYTE} MB at most`);
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) throw tooLarge;
  const chunks: Buffer[] = [];
  let received = 0;
  let known = false;
  // Leaving the loop must not take the socket along, by which the refusal is sent.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    received += chunk.length;
    if (received > mostBytes) throw tooLarge;
    chunks.push(chunk);
    if (!known && received >= SIGNATURE_BYTES) {
      requireKnownKind(Buffer.concat(chunks));
      known = true;
    }
  }
  if (received === 0) throw new RequestError(400, 'the body is empty; it must be a picture');
  const picture = Buffer.concat(chunks);
  if (!known) requireKnownKind(picture);
  const { width, height } = await imageSize(picture, 'the picture');
  if (width * height > mostPixels) throw new RequestError(413, `a picture may have ${mostPixels / MEGABYTE} million pixels at most, and this one has ${width} x ${height}`);
  return picture;
}

/** By the content: what a header says is the sender's opinion. @throws RequestError */
function requireKnownKind(bytes: Buffer): void {
  if (pictureKind(bytes) === undefined) throw new RequestError(415, 'the body is neither PNG nor JPEG nor WebP', { accept: 'image/png, image/jpeg, image/webp' });
}

/** By the first bytes (PNG, section 5.2; JPEG, B.1.1; RFC 9649). */
export function pictureKind(bytes: Uint8Array): 'png' | 'jpeg' | 'webp' | undefined {
  const starts = (signature: string, offset = 0): boolean => Buffer.from(bytes.subarray(offset, offset + signature.length)).equals(Buffer.from(signature, 'latin1'));
  if (starts('\x89PNG\r\n\x1a\n')) return 'png';
  if (starts('\xff\xd8\xff')) return 'jpeg';
  if (starts('RIFF') && starts('WEBP', 8)) return 'webp';
  return undefined;
}
