/**
 * The files of the page in the browser's cache. A file is named by its path and its content: one that two versions
 * share is kept once.
 */

export const CACHE = 'sketchgrad page';

export interface PageFile {
  /** Relative to the page; "" is the page itself. */
  readonly path: string;
  /** SHA-256 of the content, in hexadecimal digits. */
  readonly digest: string;
  /** Whether it is stored only when it was requested: most visits do not need it. */
  readonly onDemand?: true;
}

/** @param base the page's own address */
export function keyOf({ path, digest }: PageFile, base: string): string {
  return new URL(`${path}?${digest}`, base).href;
}

export async function digest(bytes: BufferSource): Promise<string> {
  return [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

/** Not in private windows of some browsers, nor where the page is served from its source, which changes all the time. */
const canKeep = (): boolean => import.meta.env.PROD && 'serviceWorker' in navigator && 'caches' in globalThis;

/** Keeps a file that this visit has fetched. @param bytes are read before the call returns */
async function keepFetched(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const kept = new Response(bytes, {
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(bytes.length) },
  });
  const key = keyOf({ path, digest: await digest(bytes) }, new URL('./', document.baseURI).href);
  await (await caches.open(CACHE)).put(key, kept);
}

/**
 * Keeps a file that comes on demand, in the first visit: the service worker has no page yet, and so it does not see what
 * the page fetches. @param bytes are read before the call returns
 */
export function keepOnDemand(path: string, bytes: Uint8Array<ArrayBuffer>): void {
  // Without room for it the page works as before: the next visit downloads it.
  if (canKeep() && navigator.serviceWorker.controller === null) void keepFetched(path, bytes).catch(() => undefined);
}

/**
 * Keeps the page's files for the next visit, by a service worker.
 * @param fetched what this visit has fetched already, by path: it is not downloaded a second time
 */
export async function keepPage(fetched: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): Promise<void> {
  if (!canKeep()) return;
  try {
    if (navigator.serviceWorker.controller === null)
      for (const [path, bytes] of fetched) await keepFetched(path, bytes);
    await navigator.serviceWorker.register('./service-worker.js');
  } catch {
    // Without room for them the page works as before: the next visit downloads them.
  }
}
