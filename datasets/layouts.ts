/**
 * Which data set lies in a folder, and how it is laid out there (method.md, Layouts that people have on disk).
 *
 * An archive is recognised by the names of its folders alone: nothing is opened but folders.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DatasetError } from '../src/data/dataset.ts';
import type { SetName } from './splits.ts';

export type Layout = 'SAKE archive' | 'official archive' | 'Doodle2Search folders' | 'QuickDraw ndjson' | 'plain folders';

/** A data set on disk. */
export interface Archive {
  /** Absolute, as all paths here. */
  readonly root: string;
  readonly layout: Layout;
  /** Undefined for plain folders, which may hold anything. */
  readonly set?: SetName;
  /** Folders that hold a folder of images for each class. A class's images are those of all of them. */
  readonly sketchFolders: readonly string[];
  readonly photoFolders: readonly string[];
  /** Files of drawings, one a class, where the sketches are no images. */
  readonly drawingFiles: readonly string[];
  /** Folders of list files in the root, by their names. */
  readonly listFolders: readonly string[];
  /** What is lacking for it to be whole, if anything is. */
  readonly lacks?: string;
}

/** Folders inside archives: one of them stands for the archive that it is in. */
const INNER_FOLDERS = /^(256x256|zeroshot.*|sketch|photo|png(_ready)?|ImageResized(_ready)?|EXTEND_image_sketchy(_ready)?|extended_photo|QuickDraw_(sketches|images)_final)$/;
/** The rendering of Sketchy that is used, as in SAKE. */
const RENDERING = 'tx_000000000000';

/**
 * The archive in a folder, in the folder above or in one of the folders in it.
 *
 * @param given absolute or relative; the paths of the archive are absolute
 * @param set narrows the choice where several archives lie side by side
 * @returns undefined where no layout is recognised
 * @throws DatasetError where the folder holds several archives, or cannot be read
 */
export async function recognise(given: string, set?: SetName): Promise<Archive | undefined> {
  const folder = resolve(given);
  const above = INNER_FOLDERS.test(basename(folder)) ? await archiveAt(dirname(folder)) : undefined;
  const found = above ?? (await archiveAt(folder));
  if (found !== undefined) return found;
  const inside = (await Promise.all((await foldersIn(folder)).map((name) => archiveAt(join(folder, name))))).filter((archive) => archive !== undefined);
  const named = inside.filter((archive) => archive.set !== undefined);
  const wanted = named.filter((archive) => archive.set === set);
  const candidates = [wanted, named, inside].find((some) => some.length > 0) ?? [];
  if (candidates.length > 1) throw new DatasetError(`${folder} holds several data sets (${candidates.map(({ root }) => basename(root)).join(', ')}); give the folder of one of them`);
  return candidates[0];
}

async function archiveAt(root: string): Promise<Archive | undefined> {
  return (await sketchyAt(root)) ?? (await quickdrawAt(root)) ?? (await plainAt(root)) ?? tuberlinAt(root);
}

async function sketchyAt(root: string): Promise<Archive | undefined> {
  for (const base of [join(root, '256x256'), root]) {
    const sketches = await renderingIn(join(base, 'sketch'));
    const photos = await renderingIn(join(base, 'photo'));
    if (sketches === undefined && photos === undefined) continue;
    const extension = await firstFolder([root, base], ['EXTEND_image_sketchy_ready', 'EXTEND_image_sketchy', 'extended_photo']);
    return withLists({
      root,
      set: 'sketchy',
      sketchFolders: present(sketches),
      photoFolders: present(photos, extension),
      lacks: sketches === undefined ? `there is no ${join(base, 'sketch', RENDERING)}` : photos === undefined ? `there is no ${join(base, 'photo', RENDERING)}` : undefined,
    });
  }
  return undefined;
}

async function tuberlinAt(root: string): Promise<Archive | undefined> {
  const sketches = await firstFolder([root], ['png_ready', 'png', 'sketches']);
  const photos = await firstFolder([root], ['ImageResized_ready', 'ImageResized', 'images']);
  // "sketches" and "images" alone are names that anything may have; together they are Doodle2Search's TU-Berlin.
  const sure = [sketches, photos].some((folder) => /[/\\](png|ImageResized)(_ready)?$/.test(folder ?? ''));
  if (!sure && (sketches === undefined || photos === undefined)) return undefined;
  return withLists({
    root,
    set: 'tuberlin',
    sketchFolders: present(sketches),
    photoFolders: present(photos),
    lacks: sketches === undefined ? `there is no ${join(root, 'png')} with the sketches` : photos === undefined ? `there is no ${join(root, 'ImageResized')}: the photos are the extension's, which the sketches' archive does not have` : undefined,
  });
}

async function quickdrawAt(root: string): Promise<Archive | undefined> {
  const photos = await firstFolder([root], ['QuickDraw_images_final']);
  const sketches = await firstFolder([root], ['QuickDraw_sketches_final']);
  for (const folder of [root, ...present(sketches), join(root, 'simplified'), join(root, 'full', 'simplified'), join(root, 'sketch')]) {
    const drawings = (await namesIn(folder)).filter((name) => name.endsWith('.ndjson')).sort();
    if (drawings.length === 0) continue;
    const photoFolders = present(photos ?? (await firstFolder([root], ['photo', 'images'])));
    return {
      root,
      layout: 'QuickDraw ndjson',
      set: 'quickdraw',
      sketchFolders: [],
      photoFolders,
      drawingFiles: drawings.map((name) => join(folder, name)),
      listFolders: [],
      lacks: photoFolders.length === 0 ? `there is no ${join(root, 'QuickDraw_images_final')} with the photos` : undefined,
    };
  }
  if (photos === undefined && sketches === undefined) return undefined;
  const missing = sketches === undefined ? 'QuickDraw_sketches_final' : photos === undefined ? 'QuickDraw_images_final' : undefined;
  return {
    root,
    layout: 'Doodle2Search folders',
    set: 'quickdraw',
    sketchFolders: present(sketches),
    photoFolders: present(photos),
    drawingFiles: [],
    listFolders: [],
    lacks: missing === undefined ? undefined : `there is no ${join(root, missing)}`,
  };
}

async function plainAt(root: string): Promise<Archive | undefined> {
  const sketches = await firstFolder([root], ['sketch']);
  const photos = await firstFolder([root], ['photo']);
  if (sketches === undefined || photos === undefined) return undefined;
  return { root, layout: 'plain folders', sketchFolders: [sketches], photoFolders: [photos], drawingFiles: [], listFolders: [] };
}

/** With list files beside it, it is SAKE's archive; else what the authors of the set published. */
async function withLists(found: Omit<Archive, 'layout' | 'drawingFiles' | 'listFolders'>): Promise<Archive> {
  const listFolders = (await foldersIn(found.root)).filter((name) => /^zeroshot/.test(name));
  return { ...found, layout: listFolders.length > 0 ? 'SAKE archive' : 'official archive', drawingFiles: [], listFolders };
}

/** Sketchy comes in several renderings; those of one object differ in place and scale. */
async function renderingIn(folder: string): Promise<string | undefined> {
  const renderings = (await foldersIn(folder)).filter((name) => /^tx_\d{12}(_ready)?$/.test(name)).sort();
  const chosen = [`${RENDERING}_ready`, RENDERING].find((name) => renderings.includes(name)) ?? (renderings.length === 1 ? renderings[0] : undefined);
  if (chosen !== undefined) return join(folder, chosen);
  if (renderings.length === 0) return undefined;
  throw new DatasetError(`${folder} holds the renderings ${renderings.join(', ')}, and not ${RENDERING}, which is the one in use; add it, or leave one alone there`);
}

async function firstFolder(roots: readonly string[], names: readonly string[]): Promise<string | undefined> {
  for (const root of roots) {
    const there = new Set(await foldersIn(root));
    const name = names.find((candidate) => there.has(candidate));
    if (name !== undefined) return join(root, name);
  }
  return undefined;
}

/** Folders in a folder, links to folders included, since large sets often live on another disk; none where there is no such folder. */
export async function foldersIn(folder: string): Promise<string[]> {
  const names = (await namesIn(folder)).filter((name) => !name.startsWith('.'));
  const areFolders = await Promise.all(names.map(async (name) => (await stat(join(folder, name)).catch(() => undefined))?.isDirectory() === true));
  return names.filter((_, index) => areFolders[index]).sort();
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return [];
    throw new DatasetError(`${folder} cannot be read: ${cause.message}`, { cause });
  });
}

const present = (...folders: readonly (string | undefined)[]): string[] => folders.filter((folder) => folder !== undefined);
