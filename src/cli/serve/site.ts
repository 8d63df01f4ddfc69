import { readFile } from 'node:fs/promises';
import { packageFile } from '../../platform/node/package-files.ts';
import { checkOrigin, requireLoopbackHost, type AllowedOrigins } from '../../server/access.ts';
import { RequestError } from '../../server/picture-body.ts';
import type { ServerMetrics } from '../../server/metrics.ts';
import {
  addressOf,
  answering,
  requireMethod,
  searchHandler,
  type Handler,
  type SearchLimits,
} from '../../server/search-handler.ts';
import { readSearchPage, SECURITY_HEADERS, type PageFile } from './search-page.ts';
import type { CurrentGallery } from './current-gallery.ts';

/** What is served, and to whom. */
export interface Site {
  readonly current: CurrentGallery;
  readonly limits: SearchLimits;
  /** Whether only this machine reaches the server. */
  readonly isLocal: boolean;
  readonly origins: AllowedOrigins;
  /** Undefined if none are wanted. */
  readonly metrics?: ServerMetrics;
  readonly onFailure: (error: unknown) => void;
}

/** The page, what it shows, and the search, as docs/openapi.json describes them. */
export async function siteHandler({ current, limits, isLocal, origins, metrics, onFailure }: Site): Promise<Handler> {
  const search = searchHandler(metrics?.observed(current.searcher) ?? current.searcher, limits, onFailure);
  const page = await readSearchPage();
  const about = (): PageFile => {
    const { about: content, cutOff } = current.gallery;
    return {
      type: 'application/json; charset=utf-8',
      content: Buffer.from(`${JSON.stringify({ ...content, cutOff, ...limits })}\n`),
    };
  };
  const description = {
    type: 'application/json; charset=utf-8',
    content: await readFile(packageFile('docs/openapi.json')),
  };
  const files = new Map([...page, ['/openapi.json', description]]);
  return answering(async (request, response) => {
    metrics?.countRequest(request, response);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    if (isLocal) requireLoopbackHost(request);
    if (checkOrigin(request, response, origins)) return;
    const { pathname } = addressOf(request);
    if (pathname === '/search') return search(request, response);
    const own = pathname === '/about' ? about() : files.get(pathname);
    if (own !== undefined) requireMethod(request, 'GET', 'HEAD');
    if (pathname === '/metrics') requireMethod(request, 'GET', 'HEAD');
    const shown = own ?? (pathname === '/metrics' ? await metrics?.report() : await current.gallery.file(pathname));
    if (shown === undefined) throw new RequestError(404, 'there is nothing at this address');
    requireMethod(request, 'GET', 'HEAD');
    const { type, content, headers = {} } = { headers: {}, ...shown };
    response
      .writeHead(200, {
        'content-type': type,
        'content-length': content.length,
        'cache-control':
          pathname.startsWith('/pictures/') || pathname.startsWith('/icons/') ? 'private, max-age=600' : 'no-cache',
        ...headers,
      })
      .end(content);
  }, onFailure);
}
