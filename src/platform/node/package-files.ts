import { existsSync, readFileSync } from 'node:fs';

/** A file of this package by its path from the root, whether the sources run or what was built from them. */
export function packageFile(path: string): URL {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    // What was built carries no package.json of its own, so the first one is the package's.
    if (existsSync(new URL('package.json', folder))) return new URL(path, folder);
    if (folder.pathname === '/') throw new Error(`${import.meta.url} is outside the package sketchgrad`);
  }
}

export function packageVersion(): string {
  return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
}
