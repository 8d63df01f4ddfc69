// The page of web/, built once, served as static files, and opened in a browser that tells of every error.
import { createServer, type ServerResponse } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { build } from 'vite';
import { onceInARun } from './run-folder.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.webp': 'image/webp',
  '.md': 'text/markdown',
};

export interface Site {
  /** With a slash at its end. */
  readonly address: string;
  close(): Promise<void>;
}

/** Answers a request itself, or leaves it to the files. @returns whether it answers */
export type Answering = (name: string, response: ServerResponse) => boolean;

/** Serves a folder, or files that are only in memory. @param pace bytes a second, all requests together */
export async function serve(
  content: string | Readonly<Record<string, string>>,
  answers: Answering = () => false,
  pace = Infinity,
): Promise<Site> {
  let sending = Promise.resolve();
  const server = createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname).slice(1) || 'index.html';
    if (answers(name, response)) return;
    const file =
      typeof content === 'string'
        ? readFile(path.join(content, path.normalize(`/${name}`)))
        : Promise.resolve(content[name]);
    file.then(
      (bytes) => {
        response.writeHead(bytes === undefined ? 404 : 200, {
          'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream',
          'content-length': Buffer.byteLength(bytes ?? ''),
        });
        if (pace === Infinity || bytes === undefined) response.end(bytes);
        else sending = sending.then(() => sendSlowly(response, Buffer.from(bytes), pace));
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://localhost:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function sendSlowly(response: ServerResponse, bytes: Buffer, pace: number): Promise<void> {
  const portion = Math.ceil(pace / 50);
  const start = performance.now();
  for (let first = 0; first < bytes.length && !response.destroyed; first += portion) {
    response.write(bytes.subarray(first, first + portion));
    const due = start + (1000 * Math.min(bytes.length, first + portion)) / pace;
    await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
  }
  response.end();
}

/** Serves the page, which is built once in a run of the tests. */
export async function servePage(answers?: Answering, pace?: number): Promise<Site> {
  return serve(await builtPage(), answers, pace);
}

/** The folder of the built page. */
export async function builtPage(): Promise<string> {
  return onceInARun('page', async (folder) => {
    const root = fileURLToPath(new URL('../../web', import.meta.url));
    await build({
      root,
      configFile: path.join(root, 'vite.config.ts'),
      logLevel: 'error',
      build: { outDir: folder, emptyOutDir: true },
    });
  });
}

/** Opens the page in a profile of its own. `errors` holds what its console tells, and what nobody catches. */
export async function openPage(
  browser: Browser,
  address: string,
  options: BrowserContextOptions = {},
): Promise<{ readonly page: Page; readonly errors: string[] }> {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 900 }, ...options });
  // Functions that tests evaluate there have passed through esbuild, which keeps their names by this helper.
  await context.addInitScript({ content: 'globalThis.__name = (value) => value;' });
  const page = await context.newPage();
  page.setDefaultTimeout(90_000);
  const errors: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(address);
  return { page, errors };
}

/** Waits until the page has compiled what a search needs. */
export async function ready(page: Page): Promise<void> {
  await page.waitForSelector('html[data-ready=true]', { state: 'attached' });
}

/** Waits until the page has kept its files for the next visit. */
export async function kept(page: Page): Promise<void> {
  await page.waitForSelector('html[data-kept=true]', { state: 'attached' });
  await page.evaluate(async () => void (await navigator.serviceWorker.ready));
}

/** Waits until the page has answered to what is on the pad. */
export async function answered(page: Page): Promise<void> {
  await page.waitForSelector('#results[aria-busy=false]', { state: 'attached' });
}

/** Names of the pictures that the page shows, best first. */
export function found(page: Page): Promise<string[]> {
  return page.$$eval('#results li bdi', (names) => names.map(({ textContent }) => textContent));
}
