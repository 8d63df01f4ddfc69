/// Keeps the files of the page, so that a later visit opens without a network and downloads nothing that it has. The visitor's own
/// pictures and models are kept elsewhere (OPFS) and are not touched.
import { CACHE, digest, keyOf, type PageFile } from './page-files.ts';

/** The files of this version: the build writes them here. */
declare const PAGE_FILES: readonly PageFile[];

/** What a service worker is, as far as it is used here; TypeScript has no types for it beside those of a page. */
interface WorkerEvent extends Event {
  readonly request: Request;
  waitUntil(work: Promise<unknown>): void;
  respondWith(answer: Promise<Response>): void;
}
const worker = globalThis as unknown as {
  readonly registration: { readonly scope: string };
  addEventListener(type: 'install' | 'activate' | 'fetch', listener: (event: WorkerEvent) => void): void;
};

const { scope } = worker.registration;
const files = new Map(PAGE_FILES.map((file) => [new URL(file.path, scope).href, file]));

// A version is installed when all its files are there, and takes over when no tab has the version before it: no page
// has files of two versions.
worker.addEventListener('install', (event) =>
  event.waitUntil(Promise.all(PAGE_FILES.filter(({ onDemand }) => onDemand !== true).map(fetchMissing))),
);
worker.addEventListener('activate', (event) => event.waitUntil(deleteOthers()));
worker.addEventListener('fetch', (event) => {
  const { origin, pathname } = new URL(event.request.url);
  const file = event.request.method === 'GET' ? files.get(origin + pathname) : undefined;
  if (file !== undefined)
    event.respondWith(caches.match(keyOf(file, scope)).then((kept) => kept ?? fetchOnce(file, event)));
});

/** Answers with a file that is not kept, and keeps one that comes on demand. */
async function fetchOnce(file: PageFile, event: WorkerEvent): Promise<Response> {
  const response = await fetch(event.request);
  // Where it cannot be kept, the next request fetches it again.
  if (file.onDemand) event.waitUntil(keepFile(file, response.clone()).catch(() => undefined));
  return response;
}

async function fetchMissing(file: PageFile): Promise<void> {
  if ((await (await caches.open(CACHE)).match(keyOf(file, scope))) !== undefined) return;
  await keepFile(file, await fetch(new URL(file.path, scope)));
}

async function keepFile(file: PageFile, response: Response): Promise<void> {
  const bytes = await response.arrayBuffer();
  // The server may have the next version by now: its service worker is the one to be installed.
  if (!response.ok || (await digest(bytes)) !== file.digest)
    throw new Error(`${file.path} is not the file of this version`);
  const headers = {
    'content-type': response.headers.get('content-type') ?? '',
    'content-length': String(bytes.byteLength),
  };
  await (await caches.open(CACHE)).put(keyOf(file, scope), new Response(bytes, { headers }));
}

async function deleteOthers(): Promise<void> {
  const cache = await caches.open(CACHE);
  const current = new Set(PAGE_FILES.map((file) => keyOf(file, scope)));
  await Promise.all(
    (await cache.keys()).filter(({ url }) => !current.has(url)).map((request) => cache.delete(request)),
  );
}
