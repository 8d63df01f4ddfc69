import { basename } from 'node:path';
import { firstFolder } from './folders.ts';
import type { Archive } from './layout.ts';

/** Folders that TU-Berlin has in Doodle2Search's layout, and QuickDraw in ZSE-SBIR's. */
export const SHARED_SKETCHES = 'sketches';
export const SHARED_PHOTOS = 'images';

/** Whether an archive has these names. Its folders alone then do not tell which set it is. */
export function hasSharedNames({ sketchFolders, photoFolders }: Archive): boolean {
  return (
    sketchFolders.length > 0 &&
    sketchFolders.every((folder) => basename(folder) === SHARED_SKETCHES) &&
    photoFolders.every((folder) => basename(folder) === SHARED_PHOTOS)
  );
}

/** The folders of these names, if both are there. */
export async function sharedFolders(
  root: string,
): Promise<Pick<Archive, 'sketchFolders' | 'photoFolders'> | undefined> {
  const sketches = await firstFolder([root], [SHARED_SKETCHES]);
  const photos = await firstFolder([root], [SHARED_PHOTOS]);
  return sketches === undefined || photos === undefined
    ? undefined
    : { sketchFolders: [sketches], photoFolders: [photos] };
}
