import type { IncomingMessage } from 'node:http';
import { imageSize } from '../platform/node/images.ts';
import { MOST_SKETCHES } from '../retrieval/mean-embedding.ts';

/** A request that is refused, with the status that says why (RFC 9110, section 15). */
export class RequestError extends Error {
  override readonly name = 'RequestError';

  constructor(
    readonly status: 400 | 403 | 404 | 405 | 413 | 415 | 421 | 503,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** Of what is sent: a picture, or all pictures of a form together. */
export interface PictureLimits {
  /** Bytes as they are sent. */
  readonly mostBytes: number;
  /** Pixels: a few bytes can unpack to gigabytes. */
  readonly mostPixels: number;
  /** Pixels of a picture's longer side; 16,384 where none is given. */
  readonly mostSide?: number;
}

export const MOST_SIDE = 16_384;

/** Bytes in which each kind shows itself. */
const SIGNATURE_BYTES = 12;
const MEGABYTE = 1e6;

/** What a form adds to its pictures: boundaries, and the headers and small fields beside them. */
const FORM_BYTES = 16_384;

/**
 * `readPictures` for a handler that takes one picture.
 * @throws RequestError 400 also where a form has several
 */
export async function readPictureBody(request: IncomingMessage, limits: PictureLimits): Promise<Uint8Array> {
  const [picture] = await readPictures(request, limits, 1);
  return picture;
}

/**
 * Reads the picture that is a request's body, or the files of a multipart/form-data body (RFC 7578). What is not wanted
 * is refused as early as it shows, and not read on.
 * @param most files of a form
 * @throws RequestError 413 for too many bytes or pixels, 415 for another kind, 400 for nothing; the stream's error
 * where the sender breaks off
 * @throws ImageError where its header cannot be read
 */
export async function readPictures(
  request: IncomingMessage,
  limits: PictureLimits,
  most = MOST_SKETCHES,
): Promise<Uint8Array[]> {
  const contentType = request.headers['content-type'] ?? '';
  const isForm = /^multipart\/form-data\b/i.test(contentType);
  const body = await readBody(request, limits, isForm);
  if (body.length === 0) throw new RequestError(400, 'the body is empty; it must be a picture');
  const pictures = isForm ? await filesOfForm(body, contentType, most) : [body];
  if (pictures.reduce((sum, { length }) => sum + length, 0) > limits.mostBytes) throw tooManyBytes(limits);
  const { mostSide = MOST_SIDE, mostPixels } = limits;
  let pixels = 0;
  for (const picture of pictures) {
    requireKnownKind(picture);
    const { width, height } = await imageSize(picture, 'the picture');
    if (Math.max(width, height) > mostSide)
      throw new RequestError(
        413,
        `a side of a picture may have ${mostSide} pixels at most, and this one has ${width} x ${height}`,
      );
    pixels += width * height;
    if (pixels > mostPixels)
      throw new RequestError(
        413,
        `${pictures.length === 1 ? 'a picture' : 'the pictures of a form together'} may have ${mostPixels / MEGABYTE} million pixels at most, and ${pictures.length === 1 ? `this one has ${width} x ${height}` : `they have more`}`,
      );
  }
  return pictures;
}

const tooManyBytes = ({ mostBytes }: PictureLimits): RequestError =>
  new RequestError(413, `a picture, or those of a form together, may have ${mostBytes / MEGABYTE} MB at most`);

async function readBody(request: IncomingMessage, limits: PictureLimits, isForm: boolean): Promise<Buffer> {
  const most = limits.mostBytes + (isForm ? FORM_BYTES : 0);
  if (Number(request.headers['content-length'] ?? 0) > most) throw tooManyBytes(limits);
  const chunks: Buffer[] = [];
  let received = 0;
  let known = isForm;
  // Leaving the loop must not take the socket along, by which the refusal is sent.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    received += chunk.length;
    if (received > most) throw tooManyBytes(limits);
    chunks.push(chunk);
    if (!known && received >= SIGNATURE_BYTES) {
      requireKnownKind(Buffer.concat(chunks));
      known = true;
    }
  }
  return Buffer.concat(chunks);
}

/** The pictures of a form, whatever its fields are called. @throws RequestError 400 */
async function filesOfForm(body: Buffer, contentType: string, most: number): Promise<Uint8Array[]> {
  // The platform's own parser reads it.
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } })
    .formData()
    .catch((cause: unknown) => {
      throw new RequestError(400, `the form cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
    });
  const files = [...form.values()].filter((value) => typeof value !== 'string');
  if (files.length < 1 || files.length > most)
    throw new RequestError(
      400,
      `the form must have ${most === 1 ? 'one file, the picture' : `1 to ${most} files, the pictures`}, and has ${files.length}`,
    );
  return Promise.all(files.map(async (file) => new Uint8Array(await file.arrayBuffer())));
}

/** By the content: what a header says is the sender's opinion. @throws RequestError */
function requireKnownKind(bytes: Uint8Array): void {
  if (pictureKind(bytes) === undefined)
    throw new RequestError(415, 'the body is neither PNG nor JPEG nor WebP', {
      accept: 'image/png, image/jpeg, image/webp',
    });
}

/** By the first bytes (PNG, section 5.2; JPEG, B.1.1; RFC 9649). */
export function pictureKind(bytes: Uint8Array): 'png' | 'jpeg' | 'webp' | undefined {
  const starts = (signature: string, offset = 0): boolean =>
    Buffer.from(bytes.subarray(offset, offset + signature.length)).equals(Buffer.from(signature, 'latin1'));
  if (starts('\x89PNG\r\n\x1a\n')) return 'png';
  if (starts('\xff\xd8\xff')) return 'jpeg';
  if (starts('RIFF') && starts('WEBP', 8)) return 'webp';
  return undefined;
}
