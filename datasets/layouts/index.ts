/**
 * Which data set a folder holds, and in which layout (docs/data.md, Layouts). To add a data set, write its file in this
 * folder and a line in LAYOUTS.
 */
import { basename, dirname, join, resolve } from 'node:path';
import { DatasetError } from '../../src/data/dataset.ts';
import { classKey } from '../../src/data/class-names.ts';
import { publishedSplits, type SetName } from '../splits.ts';
import { foldersIn } from './folders.ts';
import type { Archive, Layout } from './layout.ts';
import { domainnet } from './domainnet.ts';
import { plain } from './plain.ts';
import { quickdraw } from './quickdraw.ts';
import { hasSharedNames } from './shared-folders.ts';
import { sketchy } from './sketchy.ts';
import { tuberlin } from './tuberlin.ts';
import { zseQuickdraw } from './zse-quickdraw.ts';

export type { Archive, DataSource, Layout } from './layout.ts';

/** In the order in which they are tried: the first that is of the wanted set counts, else the first. */
export const LAYOUTS: readonly Layout[] = [sketchy, quickdraw, domainnet, plain, tuberlin, zseQuickdraw];

/**
 * The archive in a folder, in the folder above or in one of the folders in it.
 *
 * @param given absolute or relative; the paths of the archive are absolute
 * @param set narrows the choice where several archives are side by side, and where layouts of several sets have the
 * same folder names
 * @returns undefined where no layout is recognized
 * @throws DatasetError where the folder holds several archives, or cannot be read
 */
export async function recognize(given: string, set?: SetName): Promise<Archive | undefined> {
  const folder = resolve(given);
  const above = LAYOUTS.some(({ innerFolders }) => innerFolders.test(basename(folder)))
    ? await archiveAt(dirname(folder), set)
    : undefined;
  const found = above ?? (await archiveAt(folder, set));
  if (found !== undefined) return found;
  const inside = (
    await Promise.all((await foldersIn(folder)).map((name) => archiveAt(join(folder, name), set)))
  ).filter((archive) => archive !== undefined);
  const named = inside.filter((archive) => archive.set !== undefined);
  const wanted = named.filter((archive) => archive.set === set);
  const candidates = [wanted, named, inside].find((some) => some.length > 0) ?? [];
  if (candidates.length > 1)
    throw new DatasetError(
      `${folder} holds several data sets (${candidates.map(({ root }) => basename(root)).join(', ')}); give the folder of one of them`,
    );
  return candidates[0];
}

async function archiveAt(root: string, wanted: SetName | undefined): Promise<Archive | undefined> {
  const found: Archive[] = [];
  for (const archiveIn of LAYOUTS.flatMap(({ archives }) => archives)) {
    const archive = await archiveIn(root);
    if (archive === undefined) continue;
    if (wanted === undefined ? !hasSharedNames(archive) : archive.set === wanted) return archive;
    found.push(archive);
  }
  return wanted === undefined && found.length > 1 ? nearest(found) : found[0];
}

/**
 * The set to choose where several sets use the same folder names: the one with the largest share of its classes present
 * as folders.
 */
async function nearest(archives: readonly Archive[]): Promise<Archive> {
  const shares = await Promise.all(
    archives.map(async ({ set, sketchFolders }) => {
      const keys = new Set((await Promise.all(sketchFolders.map(foldersIn))).flat().map(classKey));
      const [split] = set === undefined ? [] : await publishedSplits(set);
      const classes = split === undefined ? [] : [...split.seen, ...split.unseen];
      return classes.length === 0 ? 0 : classes.filter((name) => keys.has(classKey(name))).length / classes.length;
    }),
  );
  return archives[shares.reduce((best, share, index) => (share > shares[best] ? index : best), 0)];
}
