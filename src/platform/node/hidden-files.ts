/** Folders that storage devices and systems keep thumbnails and deleted files in. */
const SYSTEM_FOLDERS = new Set([
  '@eadir',
  '#recycle',
  '#snapshot',
  '$recycle.bin',
  'system volume information',
  '__macosx',
  'lost+found',
]);

/**
 * Whether a file is hidden, or lies in a hidden folder: what begins with a dot, and what systems keep beside a user's
 * pictures. @param name a path from the folder that is searched
 */
export function isHidden(name: string): boolean {
  return name
    .split(/[\\/]/)
    .some((part) => (part.startsWith('.') && part !== '.' && part !== '..') || SYSTEM_FOLDERS.has(part.toLowerCase()));
}
