import { homedir } from 'node:os';
import path from 'node:path';

/** Where sketchgrad keeps what it can make again: $XDG_CACHE_HOME/sketchgrad, or ~/.cache/sketchgrad. It may be deleted at any time. */
export function cacheFolder(): string {
  return path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'sketchgrad');
}
