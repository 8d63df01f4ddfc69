/** Listings of folders by which layouts are recognized. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatasetError } from '../../src/data/dataset.ts';
import { isHidden } from '../../src/platform/node/hidden-files.ts';
import { listFolders } from '../../src/platform/node/picture-files.ts';

/** The first of the names that is a folder in the first of the roots that has one. */
export async function firstFolder(roots: readonly string[], names: readonly string[]): Promise<string | undefined> {
  for (const root of roots) {
    const there = new Set(await foldersIn(root));
    const name = names.find((candidate) => there.has(candidate));
    if (name !== undefined) return join(root, name);
  }
  return undefined;
}

/**
 * Folders in a folder, links to folders included, since large sets often live on another disk; none where there is no
 * such folder.
 */
export async function foldersIn(folder: string): Promise<string[]> {
  return [...(await foldersAndSkipped(folder)).names];
}

/** The same, with what was skipped. @throws DatasetError where the folder is there and cannot be read */
export function foldersAndSkipped(folder: string): ReturnType<typeof listFolders> {
  return unlessMissing(folder, listFolders(folder), { names: [], skipped: [] });
}

/** Files and folders in a folder, but for hidden ones; none where there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await unlessMissing(folder, readdir(folder), [])).filter((name) => !isHidden(name));
}

async function unlessMissing<Listing>(folder: string, listing: Promise<Listing>, none: Listing): Promise<Listing> {
  return listing.catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return none;
    throw new DatasetError(`${folder} cannot be read: ${cause.message}`, { cause });
  });
}

/** Those that there are. */
export const present = (...folders: readonly (string | undefined)[]): string[] =>
  folders.filter((folder) => folder !== undefined);
