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
  /** Whether it is kept only when it was asked for: most visits do without. */
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

/**
 * Keeps the page's files for the next visit, by a service worker.
 * @param fetched what this visit has fetched already, by path: it is not downloaded a second time
 */
export async function keepPage(fetched: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): Promise<void> {
  // Private windows of some browsers have neither, and a page that is served from its source changes all the time.
  if (!import.meta.env.PROD || !('serviceWorker' in navigator) || !('caches' in globalThis)) return;
  const base = new URL('./', document.baseURI).href;
  try {
    if (navigator.serviceWorker.controller === null) {
      const cache = await caches.open(CACHE);
      for (const [path, bytes] of fetched) {
        const key = keyOf({ path, digest: await digest(bytes) }, base);
        await cache.put(
          key,
          new Response(bytes, {
            headers: { 'content-type': 'application/octet-stream', 'content-length': String(bytes.length) },
          }),
        );
      }
    }
    await navigator.serviceWorker.register('./service-worker.js');
  } catch {
    // Without room for them the page works as before: the next visit downloads them.
  }
}
