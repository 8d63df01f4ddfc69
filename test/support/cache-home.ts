// A cache folder for commands under test, apart from the user's own.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { runFolder } from './run-folder.ts';

/**
 * Points the commands of this process at the cache of this run of the tests. Its suites share it, so that a kernel
 * variant that one of them has verified on an adapter is not verified again by the next.
 * @param name of a cache of a suite's own, for one that changes what is in it
 * @returns what puts the cache from before back
 */
export function useTestCache(name = 'shared'): () => void {
  const before = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = path.join(runFolder(), `cache-${name}`);
  mkdirSync(process.env.XDG_CACHE_HOME, { recursive: true });
  return () => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  };
}
