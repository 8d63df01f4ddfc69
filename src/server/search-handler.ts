import type { IncomingMessage, ServerResponse } from 'node:http';
import { ImageError } from '../platform/node/images.ts';
import { MOST_SIDE, readPictures, RequestError, type PictureLimits } from './picture-body.ts';
import { neighboursOf } from './search-parameters.ts';

export interface SearchLimits extends PictureLimits {
  /** Searches under way at once, each from the last byte of its picture to its answer; more are told to come back. */
  readonly mostRequests: number;
}

/** The limits of a server where none are given. */
export const DEFAULT_SEARCH_LIMITS = {
  mostBytes: 8e6,
  mostPixels: 5e7,
  mostSide: MOST_SIDE,
  mostRequests: 64,
} as const satisfies SearchLimits;

/**
 * Bodies that may be received at once, for each search that may be under way. A slow sender does not keep others from
 * searching.
 */
const BODIES_PER_SEARCH = 8;
/**
 * How long the rest of a refused body is read and dropped, in milliseconds: closed earlier, the connection is reset and
 * the refusal lost.
 */
const LINGER = 2000;

/** What answers; a `SearchService` or an `IconSearchService`. */
export interface Searcher {
  /**
   * Searches by sketches of one thing.
   * @param sketches the pictures of the request, which search together; none for GET, where `like` names rows @param parameters of the request's address
   */
  search(sketches: readonly Uint8Array[], k: number, signal: AbortSignal, parameters: URLSearchParams): Promise<object>;
}

/** Answers a request of `node:http`. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Answers GET ?like=17&k=10, and POST ?k=10 with a picture as the body: JSON of what the service found, or `{ "error": ... }` with a status
 * that says what was wrong: 400 no picture or not to be decoded, 405 another method, 413 too large, 415 another kind,
 * 503 too many at once. The body is the picture's file, or a form whose files are sketches that search together,
 * MOST_SKETCHES at most.
 * @param onFailure hears of what is the server's fault, which is answered with 500
 */
export function searchHandler(
  service: Searcher,
  limits: SearchLimits = DEFAULT_SEARCH_LIMITS,
  onFailure: (error: unknown) => void = console.error,
): Handler {
  let underWay = 0;
  let receiving = 0;
  const requirePlace = (taken: number, places: number): void => {
    if (taken >= places)
      throw new RequestError(503, `${taken} searches are under way, as many as there may be; come back in a second`, {
        'retry-after': '1',
      });
  };
  const receive = (request: IncomingMessage): Promise<Uint8Array[]> => {
    receiving++;
    return readPictures(request, limits).finally(() => receiving--);
  };
  return answering(async (request, response) => {
    requireMethod(request, 'GET', 'POST');
    const { searchParams } = addressOf(request);
    if (request.method === 'GET' && !searchParams.has('like'))
      throw new RequestError(
        400,
        'GET searches by a row of the index, such as ?like=17; POST a picture to search by it',
      );
    const k = neighboursOf(searchParams);
    requirePlace(underWay, limits.mostRequests);
    requirePlace(receiving, BODIES_PER_SEARCH * limits.mostRequests);
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const sketches = request.method === 'GET' ? [] : await receive(request);
    if (gone.signal.aborted) return;
    requirePlace(underWay, limits.mostRequests);
    underWay++;
    try {
      await sendJson(response, 200, await service.search(sketches, k, gone.signal, searchParams));
    } finally {
      underWay--;
    }
  }, onFailure);
}

/** Turns what a handler throws into an answer. */
export function answering(handler: Handler, onFailure: (error: unknown) => void): Handler {
  return async (request, response) => {
    try {
      await handler(request, response);
    } catch (error) {
      // Who broke off hears nothing any more.
      if (response.destroyed || request.errored !== null) return;
      if (error instanceof RequestError)
        await sendJson(response, error.status, { error: error.message }, error.headers);
      else if (error instanceof ImageError) await sendJson(response, 400, { error: error.message });
      else {
        onFailure(error);
        await sendJson(response, 500, { error: 'the server failed' });
      }
    }
  };
}

/** @throws RequestError 405 */
export function requireMethod({ method }: IncomingMessage, ...allowed: readonly string[]): void {
  if (!allowed.includes(method ?? ''))
    throw new RequestError(405, `${method} is not for this address, but ${allowed.join(' or ')}`, {
      allow: allowed.join(', '),
    });
}

/** @throws RequestError 400 for an address that is none */
export function addressOf({ url }: IncomingMessage): URL {
  try {
    return new URL(url ?? '', 'http://localhost');
  } catch {
    throw new RequestError(400, 'the address cannot be read');
  }
}

async function sendJson(
  response: ServerResponse,
  status: number,
  content: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const body = Buffer.from(`${JSON.stringify(content)}\n`);
  const { req: request } = response;
  // What follows a refused body on its connection cannot be told from the body.
  const closing = request.complete ? {} : { connection: 'close' };
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...closing,
    ...headers,
  });
  response.write(body);
  if (!request.complete) await drop(request);
  response.end();
}

/** Reads what is left of a body and drops it, for a while. */
function drop(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LINGER);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    request.once('end', done).once('close', done).once('error', done).resume();
  });
}
