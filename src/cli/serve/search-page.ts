/**
 * The page of `sketchgrad serve`: three files, which the package has built and the repository builds as they are asked
 * for.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { packageFile } from '../../platform/node/package-files.ts';

export interface PageFile {
  readonly type: string;
  readonly content: Uint8Array;
}

/** Nothing but what the server itself gives is loaded, and no other page may show this one. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** The files by their addresses. */
export async function readSearchPage(): Promise<ReadonlyMap<string, PageFile>> {
  const [html, style, script] = await Promise.all([
    readFile(packageFile('web/serve/index.html')),
    readFile(packageFile('web/src/style.css')),
    pageScript(),
  ]);
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', content: html }],
    ['/style.css', { type: 'text/css; charset=utf-8', content: style }],
    ['/page.js', { type: 'text/javascript; charset=utf-8', content: script }],
  ]);
}

async function pageScript(): Promise<Uint8Array> {
  if (!import.meta.url.endsWith('.ts')) return readFile(packageFile('dist/web/page.js'));
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(packageFile('web/serve/main.ts'))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  return outputFiles[0].contents;
}
