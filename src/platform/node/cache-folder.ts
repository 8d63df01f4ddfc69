import { accessSync, constants, lstatSync, mkdirSync, mkdtempSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

/** Why there is no cache folder of the user's own, by the folder that was tried; and what is used instead. */
const substitutes = new Map<string, string>();

/**
 * Where sketchgrad keeps what it can make again: $XDG_CACHE_HOME/sketchgrad, or ~/.cache/sketchgrad. It may be deleted
 * at any time. Where there is no home, or the folder cannot be written, it is a folder of this user's below the
 * system's temporary one.
 */
export function cacheFolder(): string {
  const wanted = wantedFolder();
  if (wanted !== null && isWritable(wanted)) return wanted;
  const key = wanted ?? '';
  let substitute = substitutes.get(key);
  if (substitute === undefined) {
    substitute = ownTemporaryFolder();
    substitutes.set(key, substitute);
  }
  return substitute;
}

function wantedFolder(): string | null {
  if (process.env.XDG_CACHE_HOME) return path.join(process.env.XDG_CACHE_HOME, 'sketchgrad');
  try {
    return path.join(homedir(), '.cache', 'sketchgrad');
  } catch {
    // A user without an entry in the system's list and without HOME.
    return null;
  }
}

/** Whether a folder can be written, or made and then written. */
function isWritable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Programs are loaded from the cache, so no other user may be able to write there. */
function ownTemporaryFolder(): string {
  const user = process.getuid?.();
  const folder = path.join(tmpdir(), user === undefined ? 'sketchgrad' : `sketchgrad-${user}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    if (user === undefined || (uid === user && (mode & 0o022) === 0 && isWritable(folder))) return folder;
  } catch {
    // Another name then.
  }
  return mkdtempSync(path.join(tmpdir(), 'sketchgrad-'));
}
