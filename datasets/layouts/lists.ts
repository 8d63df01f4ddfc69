import { foldersIn } from './folders.ts';
import type { Archive } from './layout.ts';

/** With list files beside it, it is SAKE's archive; else what the authors of the set published. */
export async function withLists(found: Omit<Archive, 'layout' | 'drawingFiles' | 'listFolders'>): Promise<Archive> {
  const listFolders = (await foldersIn(found.root)).filter((name) => /^zeroshot/.test(name));
  return {
    ...found,
    layout: listFolders.length > 0 ? 'SAKE archive' : 'official archive',
    drawingFiles: [],
    listFolders,
  };
}
