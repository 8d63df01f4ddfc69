/** Files that the page keeps for its next visit, in the browser's private file system (OPFS). */

/** Where the indexes of a collection are kept, one for each model. */
export const indexesOf = (collection: string): string => `indexes/${collection}`;

async function folderOf(path: string, create: boolean): Promise<{ folder: FileSystemDirectoryHandle; name: string }> {
  const names = path.split('/');
  const name = names.pop() as string;
  let folder = await navigator.storage.getDirectory();
  for (const each of names) folder = await folder.getDirectoryHandle(each, { create });
  return { folder, name };
}

/** Reads files, changes and writes them, while no other tab does. */
export function changingKept<Result>(work: () => Promise<Result>): Promise<Result> {
  return navigator.locks.request('sketchgrad kept files', work) as Promise<Result>;
}

/** The file, or undefined where there is none (or the browser keeps nothing, as in private windows). */
export async function readKept(path: string): Promise<File | undefined> {
  try {
    const { folder, name } = await folderOf(path, false);
    return await (await folder.getFileHandle(name)).getFile();
  } catch {
    return undefined;
  }
}

/**
 * Keeps a file. It replaces an older one at once, when all of it is written.
 * @returns whether the browser did: the page works without, only its next visit starts anew
 */
export async function keep(path: string, content: Blob | Uint8Array | string): Promise<boolean> {
  try {
    const { folder, name } = await folderOf(path, true);
    const stream = await (await folder.getFileHandle(name, { create: true })).createWritable();
    await stream.write(content as Blob);
    await stream.close();
    return true;
  } catch {
    return false;
  }
}

/** Forgets a file, or a folder with all in it. */
export async function forget(path: string): Promise<void> {
  try {
    const { folder, name } = await folderOf(path, false);
    await folder.removeEntry(name, { recursive: true });
  } catch {
    // What is not there is forgotten already.
  }
}
