import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIPv4 } from 'node:net';
import { RequestError } from './picture-body.ts';

/**
 * Whether an address that a server is bound to is reached from this machine alone: 127.0.0.0/8 (RFC 1122, 3.2.1.3) or
 * ::1 (RFC 4291, 2.5.3).
 */
export function isLoopbackAddress(address: string): boolean {
  const mapped = /^::ffff:(.*)$/i.exec(address)?.[1] ?? address;
  return isIPv4(mapped) ? mapped.startsWith('127.') : mapped === '::1';
}

/**
 * For a server that only this machine reaches. A page of somebody else's can give its own name this machine's address,
 * and would then read what is here (DNS rebinding), so no name is answered but this machine's own.
 * @throws RequestError 421
 */
export function requireLoopbackHost({ headers: { host = '' } }: IncomingMessage): void {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const address = /^\[(.*)\]$/.exec(name)?.[1] ?? name;
  if (name === 'localhost' || isLoopbackAddress(address)) return;
  throw new RequestError(
    421,
    'this server answers to localhost only; start it with another --host to be reached by other names',
  );
}

/** The sites whose pages may use a server: origins such as https://example.org, or * for all. */
export type AllowedOrigins = readonly string[] | '*';

/**
 * Lets pages of other sites in, or keeps them out. A browser sends what a page of any site asks it to send, with the
 * reach of its user; it says where the page is from (Fetch Metadata, section 2.4; RFC 6454). Programs say
 * nothing, and are let in.
 * @returns whether the request was a browser's question whether it may ask (Fetch, section 3.2.2), which is answered
 * then
 * @throws RequestError 403 for a page of another site
 */
export function checkOrigin(request: IncomingMessage, response: ServerResponse, allowed: AllowedOrigins): boolean {
  const { origin, host, 'sec-fetch-site': site } = request.headers;
  const isAllowed = origin !== undefined && (allowed === '*' || allowed.includes(origin));
  if (isAllowed) {
    response.setHeader('access-control-allow-origin', allowed === '*' ? '*' : origin);
    response.setHeader('vary', 'origin');
    response.setHeader('cross-origin-resource-policy', 'cross-origin');
    if (request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined) {
      response
        .writeHead(204, {
          'access-control-allow-methods': 'GET, HEAD, POST',
          'access-control-allow-headers': 'content-type',
          'access-control-max-age': '600',
        })
        .end();
      return true;
    }
    return false;
  }
  if (request.method === 'GET' || request.method === 'HEAD') return false;
  const isForeign =
    typeof site === 'string'
      ? site !== 'same-origin' && site !== 'none'
      : origin !== undefined && hostOf(origin) !== host;
  if (isForeign)
    throw new RequestError(
      403,
      `a page of ${origin ?? 'another site'} may not search here; --cors ${origin !== undefined && origin !== 'null' ? origin : 'ORIGIN'} lets it`,
    );
  return false;
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    // "null", of a page without an origin.
    return undefined;
  }
}
