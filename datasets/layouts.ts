/**
 * Which data set a folder holds, and in which layout (docs/data.md, Layouts).
 *
 * An archive is recognised by the names of its folders alone; no file is opened. To add a layout, write a function like
 * `sketchyAt`, a line in LAYOUTS and a name in `Layout`.
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DatasetError } from '../src/data/dataset.ts';
import { classKey } from '../src/data/class-names.ts';
import { isHidden } from '../src/platform/node/hidden-files.ts';
import { listFolders } from '../src/platform/node/picture-files.ts';
import { publishedSplits, type SetName } from './splits.ts';

/** The ways in which published data sets are laid out on disk. */
export type Layout =
  | 'SAKE archive'
  | 'official archive'
  | 'Doodle2Search folders'
  | 'ZSE-SBIR folders'
  | 'QuickDraw ndjson'
  | 'plain folders';

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

/** Folders inside archives: one of them identifies its archive. */
const INNER_FOLDERS =
  /^(256x256|zeroshot.*|sketch|photo|png(_ready)?|ImageResized(_ready)?|EXTEND_image_sketchy(_ready)?|extended_photo|QuickDraw_(sketches|images)_final)$/;
/** The rendering of Sketchy that is used, as in SAKE. */
const RENDERING = 'tx_000000000000';

/**
 * The archive in a folder, in the folder above or in one of the folders in it.
 *
 * @param given absolute or relative; the paths of the archive are absolute
 * @param set narrows the choice where several archives are side by side, and where layouts of several sets have the
 * same folder names
 * @returns undefined where no layout is recognised
 * @throws DatasetError where the folder holds several archives, or cannot be read
 */
export async function recognise(given: string, set?: SetName): Promise<Archive | undefined> {
  const folder = resolve(given);
  const above = INNER_FOLDERS.test(basename(folder)) ? await archiveAt(dirname(folder), set) : undefined;
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

/** The layouts in the order in which they are tried. The first that is of the wanted set counts, else the first. */
const LAYOUTS: readonly ((root: string) => Promise<Archive | undefined>)[] = [
  sketchyAt,
  quickdrawAt,
  plainAt,
  tuberlinAt,
  doodleTuberlinAt,
  zseQuickdrawAt,
];

async function archiveAt(root: string, wanted: SetName | undefined): Promise<Archive | undefined> {
  const found: Archive[] = [];
  for (const archiveIn of LAYOUTS) {
    const archive = await archiveIn(root);
    if (archive === undefined) continue;
    if (wanted === undefined ? !hasSharedNames(archive) : archive.set === wanted) return archive;
    found.push(archive);
  }
  return wanted === undefined && found.length > 1 ? nearest(found) : found[0];
}

/** Folders that TU-Berlin has in Doodle2Search's layout, and QuickDraw in ZSE-SBIR's. */
const SHARED_SKETCHES = 'sketches';
const SHARED_PHOTOS = 'images';

function hasSharedNames({ sketchFolders, photoFolders }: Archive): boolean {
  return (
    sketchFolders.length > 0 &&
    sketchFolders.every((folder) => basename(folder) === SHARED_SKETCHES) &&
    photoFolders.every((folder) => basename(folder) === SHARED_PHOTOS)
  );
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

async function sketchyAt(root: string): Promise<Archive | undefined> {
  for (const base of [join(root, '256x256'), root]) {
    const sketches = await renderingIn(join(base, 'sketch'));
    const photos = await renderingIn(join(base, 'photo'));
    if (sketches === undefined && photos === undefined) continue;
    const extension = await firstFolder(
      [root, base],
      ['EXTEND_image_sketchy_ready', 'EXTEND_image_sketchy', 'extended_photo'],
    );
    return withLists({
      root,
      set: 'sketchy',
      sketchFolders: present(sketches),
      photoFolders: present(photos, extension),
      lacks:
        sketches === undefined
          ? `there is no ${join(base, 'sketch', RENDERING)}`
          : photos === undefined
            ? `there is no ${join(base, 'photo', RENDERING)}`
            : undefined,
    });
  }
  return undefined;
}

async function tuberlinAt(root: string): Promise<Archive | undefined> {
  const sketches = await firstFolder([root], ['png_ready', 'png', SHARED_SKETCHES]);
  const photos = await firstFolder([root], ['ImageResized_ready', 'ImageResized', SHARED_PHOTOS]);
  // "sketches" and "images" are names that anything may have.
  if (![sketches, photos].some((folder) => /[/\\](png|ImageResized)(_ready)?$/.test(folder ?? ''))) return undefined;
  return withLists({
    root,
    set: 'tuberlin',
    sketchFolders: present(sketches),
    photoFolders: present(photos),
    lacks:
      sketches === undefined
        ? `there is no ${join(root, 'png')} with the sketches`
        : photos === undefined
          ? `there is no ${join(root, 'ImageResized')}: the photos are the extension's, which the sketches' archive does not have`
          : undefined,
  });
}

/** TU-Berlin as Doodle2Search's scripts leave it. */
async function doodleTuberlinAt(root: string): Promise<Archive | undefined> {
  const folders = await sharedFolders(root);
  return folders && withLists({ root, set: 'tuberlin', ...folders });
}

/** QuickDraw as ZSE-SBIR (Lin et al., CVPR 2023) has it. */
async function zseQuickdrawAt(root: string): Promise<Archive | undefined> {
  const folders = await sharedFolders(root);
  return (
    folders && { root, layout: 'ZSE-SBIR folders', set: 'quickdraw', ...folders, drawingFiles: [], listFolders: [] }
  );
}

async function sharedFolders(root: string): Promise<Pick<Archive, 'sketchFolders' | 'photoFolders'> | undefined> {
  const sketches = await firstFolder([root], [SHARED_SKETCHES]);
  const photos = await firstFolder([root], [SHARED_PHOTOS]);
  return sketches === undefined || photos === undefined
    ? undefined
    : { sketchFolders: [sketches], photoFolders: [photos] };
}

async function quickdrawAt(root: string): Promise<Archive | undefined> {
  const photos = await firstFolder([root], ['QuickDraw_images_final']);
  const sketches = await firstFolder([root], ['QuickDraw_sketches_final']);
  for (const folder of [
    root,
    ...present(sketches),
    join(root, 'simplified'),
    join(root, 'full', 'simplified'),
    join(root, 'sketch'),
  ]) {
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
      lacks:
        photoFolders.length === 0 ? `there is no ${join(root, 'QuickDraw_images_final')} with the photos` : undefined,
    };
  }
  if (photos === undefined && sketches === undefined) return undefined;
  const missing =
    sketches === undefined ? 'QuickDraw_sketches_final' : photos === undefined ? 'QuickDraw_images_final' : undefined;
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
  return {
    root,
    layout: 'plain folders',
    sketchFolders: [sketches],
    photoFolders: [photos],
    drawingFiles: [],
    listFolders: [],
  };
}

/** With list files beside it, it is SAKE's archive; else what the authors of the set published. */
async function withLists(found: Omit<Archive, 'layout' | 'drawingFiles' | 'listFolders'>): Promise<Archive> {
  const listFolders = (await foldersIn(found.root)).filter((name) => /^zeroshot/.test(name));
  return {
    ...found,
    layout: listFolders.length > 0 ? 'SAKE archive' : 'official archive',
    drawingFiles: [],
    listFolders,
  };
}

/** Sketchy comes in several renderings; those of one object differ in place and scale. */
async function renderingIn(folder: string): Promise<string | undefined> {
  const renderings = (await foldersIn(folder)).filter((name) => /^tx_\d{12}(_ready)?$/.test(name)).sort();
  const chosen =
    [`${RENDERING}_ready`, RENDERING].find((name) => renderings.includes(name)) ??
    (renderings.length === 1 ? renderings[0] : undefined);
  if (chosen !== undefined) return join(folder, chosen);
  if (renderings.length === 0) return undefined;
  throw new DatasetError(
    `${folder} holds the renderings ${renderings.join(', ')}, and not ${RENDERING}, which is the one in use; add it, or leave one alone there`,
  );
}

async function firstFolder(roots: readonly string[], names: readonly string[]): Promise<string | undefined> {
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

async function namesIn(folder: string): Promise<string[]> {
  return (await unlessMissing(folder, readdir(folder), [])).filter((name) => !isHidden(name));
}

async function unlessMissing<Listing>(folder: string, listing: Promise<Listing>, none: Listing): Promise<Listing> {
  return listing.catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return none;
    throw new DatasetError(`${folder} cannot be read: ${cause.message}`, { cause });
  });
}

const present = (...folders: readonly (string | undefined)[]): string[] =>
  folders.filter((folder) => folder !== undefined);
