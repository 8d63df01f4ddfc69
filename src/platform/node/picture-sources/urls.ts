import { ImageError } from '../images.ts';
import type { PictureSource } from './source.ts';

/** Bytes of a picture. */
const MOST_BYTES = 2 ** 28;
const TIMEOUT_SECONDS = 60;
/** A server that is overloaded, or a connection that ends, is asked again after so many milliseconds. */
const PAUSES = [500, 2000, 8000];

/**
 * Pictures at http(s) addresses. Size and time are those of the answer to HEAD, 0 where it has none: such a picture is
 * fetched again by an update, and keeps its vector if its content is the same.
 */
export function urlSource(addresses: readonly string[]): PictureSource {
  return {
    names: addresses,
    async stamp(name) {
      const answer = await request(name, 'HEAD').catch(() => undefined);
      const size = Number(answer?.headers.get('content-length') ?? 0);
      const time = Date.parse(answer?.headers.get('last-modified') ?? '');
      return { path: name, size: Number.isSafeInteger(size) ? size : 0, time: Number.isNaN(time) ? 0 : time };
    },
    async read(name) {
      try {
        return await bodyOf(await request(name, 'GET'));
      } catch (cause) {
        throw new ImageError(name, cause);
      }
    },
  };
}

/** @throws Error for a status that is no success, after the pauses for those that may pass */
async function request(address: string, method: 'GET' | 'HEAD'): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(address, { method, signal: AbortSignal.timeout(1000 * TIMEOUT_SECONDS) }).catch(
      (error: unknown) => error as Error,
    );
    if (answer instanceof Response && answer.ok) return answer;
    const mayPass = !(answer instanceof Response) || answer.status === 429 || answer.status >= 500;
    if (answer instanceof Response) await answer.body?.cancel();
    if (!mayPass || attempt === PAUSES.length)
      throw answer instanceof Response ? new Error(`the server answered ${answer.status}`) : reason(answer);
    await new Promise((resolve) => setTimeout(resolve, PAUSES[attempt]));
  }
}

/** fetch says only "fetch failed"; its cause says why. */
const reason = (error: Error): Error => (error.cause instanceof Error ? error.cause : error);

async function bodyOf(answer: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > MOST_BYTES) throw new Error(`it has more than ${MOST_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
