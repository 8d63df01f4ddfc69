import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Plugin } from 'vite';
import { ICON_FOLDER } from './src/icon-files.ts';
import type { PageFile } from './src/page-files.ts';

const NAME = 'service-worker.js';
/** The benchmark is a page of its own, which nobody needs without a network. */
const BENCHMARK = /^(bench\/|assets\/bench[.-])/;

/** Builds the service worker when all other files are there, since it holds their list. */
export function serviceWorker(): Plugin {
  let folder: string;
  return {
    name: 'service-worker',
    apply: 'build',
    configResolved({ root, build: { outDir } }) {
      folder = path.resolve(root, outDir);
    },
    closeBundle: () => writeServiceWorker(folder),
  };
}

/** Writes the service worker of a folder that has all other files of the page. */
export async function writeServiceWorker(folder: string): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL('src/service-worker.ts', import.meta.url))],
    outfile: path.join(folder, NAME),
    bundle: true,
    minify: true,
    target: 'es2022',
    define: { PAGE_FILES: JSON.stringify(await pageFiles(folder)), 'import.meta.env.PROD': 'true' },
  });
}

/** All that the page needs, in alphabetical order. */
async function pageFiles(folder: string): Promise<PageFile[]> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.map') && entry.name !== NAME)
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .filter((name) => !BENCHMARK.test(name))
    .sort();
  return Promise.all(
    names.map(async (name) => ({
      // Hosts redirect from index.html to the folder, and a browser refuses to open a redirected answer.
      path: name === 'index.html' ? '' : name,
      digest: createHash('sha256')
        .update(await readFile(path.join(folder, name)))
        .digest('hex'),
      ...(name.startsWith(`${ICON_FOLDER}/`) && { onDemand: true as const }),
    })),
  );
}
