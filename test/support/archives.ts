// Miniature trees of the layouts that data sets have on disk, with odd names: blanks, brackets, accents, a number at
// the end.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import type { Domain } from '../../src/data/dataset.ts';

export const SEEN = ['hot-air_balloon', 'mouse (animal)', 'crème brûlée'];
export const UNSEEN = ['tree', 'wine bottle'];
/** As some sources spell them. */
const SPELLED: Readonly<Record<string, string>> = {
  'hot-air_balloon': 'Hot Air Balloon',
  'wine bottle': 'wine_bottle',
  'crème brûlée': 'crème brûlée'.normalize('NFD'),
};

export const SKETCHES = ['n01_10-1.png', 'n01_10-2.png', 'n02 with blanks 3.png', '100% ,;#é.png'];
export const PHOTOS = ['n01_10.jpg', 'a photo 12.JPEG', 'ext_1.jpg'];

/** The bytes of a small PNG image, another for each name; sharp does not mind which ending a file has. */
export function picture(name: string): Promise<Buffer> {
  const kept = pictures.get(name) ?? draw(name);
  pictures.set(name, kept);
  return kept;
}

const pictures = new Map<string, Promise<Buffer>>();

function draw(name: string): Promise<Buffer> {
  const value = [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.codePointAt(0)!) >>> 0, 7);
  const pixels = Uint8Array.from(
    { length: 3 * 8 * 8 },
    (_, index) => (value >>> (8 * (index % 3))) ^ (index < 24 ? value : 255),
  );
  return sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } })
    .png()
    .toBuffer();
}

export async function put(file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
}

/**
 * Writes a class folder for each class, in the spelling of another source if `spelled`. Gives the paths relative to the
 * root, by class.
 */
async function putClasses(
  root: string,
  folder: string,
  domain: Domain,
  files: readonly string[],
  spelled = false,
): Promise<Map<string, string[]>> {
  const paths = new Map<string, string[]>();
  for (const name of [...SEEN, ...UNSEEN]) {
    const written = spelled ? (SPELLED[name] ?? name) : name;
    paths.set(
      name,
      files.map((file) => `${folder}/${written}/${file}`),
    );
    for (const file of files)
      await put(path.join(root, folder, written, file), await picture(`${domain} ${name} ${file}`));
  }
  return paths;
}

const joined = (...parts: readonly Map<string, string[]>[]): Map<string, string[]> =>
  new Map([...SEEN, ...UNSEEN].map((name) => [name, parts.flatMap((part) => part.get(name) ?? [])]));

/** SAKE's list files: the last sketch of each seen class is held out. */
async function putLists(
  folder: string,
  names: Readonly<Record<Domain, string>>,
  sketches: Map<string, string[]>,
  photos: Map<string, string[]>,
  newline = '\n',
): Promise<void> {
  const list = (classes: readonly string[], paths: (name: string) => readonly string[]): string =>
    classes.flatMap((name, id) => paths(name).map((file) => `${file} ${id}${newline}`)).join('');
  const of = (paths: Map<string, string[]>, name: string): string[] => paths.get(name) as string[];
  await put(
    path.join(folder, 'cname_cid.txt'),
    list(SEEN, (name) => [name]),
  );
  await put(
    path.join(folder, 'cname_cid_zero.txt'),
    list(UNSEEN, (name) => [name]),
  );
  await put(
    path.join(folder, `${names.sketch}_filelist_train.txt`),
    list(SEEN, (name) => of(sketches, name).slice(0, -1)),
  );
  await put(
    path.join(folder, `${names.sketch}_filelist_test.txt`),
    list(SEEN, (name) => of(sketches, name).slice(-1)),
  );
  await put(
    path.join(folder, `${names.sketch}_filelist_zero.txt`),
    list(UNSEEN, (name) => of(sketches, name)),
  );
  await put(
    path.join(folder, `${names.photo}_filelist_train.txt`),
    list(SEEN, (name) => of(photos, name)),
  );
  await put(
    path.join(folder, `${names.photo}_filelist_zero.txt`),
    list(UNSEEN, (name) => of(photos, name)),
  );
}

export async function sakeSketchy(root: string, { newline = '\n' } = {}): Promise<void> {
  const sketches = await putClasses(root, '256x256/sketch/tx_000000000000_ready', 'sketch', SKETCHES);
  const photos = await putClasses(root, '256x256/photo/tx_000000000000_ready', 'photo', PHOTOS.slice(0, 2));
  const extended = await putClasses(root, 'EXTEND_image_sketchy_ready', 'photo', PHOTOS.slice(2));
  await putLists(
    path.join(root, 'zeroshot1'),
    { sketch: 'sketch_tx_000000000000_ready', photo: 'all_photo' },
    sketches,
    joined(photos, extended),
    newline,
  );
}

export async function officialSketchy(root: string): Promise<void> {
  await putClasses(root, '256x256/sketch/tx_000000000000', 'sketch', SKETCHES, true);
  await putClasses(root, '256x256/sketch/tx_000100000000', 'sketch', ['another rendering.png']);
  await putClasses(root, '256x256/photo/tx_000000000000', 'photo', PHOTOS.slice(0, 2));
  await putClasses(root, 'EXTEND_image_sketchy', 'photo', PHOTOS.slice(2), true);
}

/** As Doodle2Search's scripts leave Sketchy. */
export async function doodleSketchy(root: string): Promise<void> {
  await putClasses(root, 'sketch/tx_000000000000', 'sketch', SKETCHES);
  await putClasses(root, 'photo/tx_000000000000', 'photo', PHOTOS.slice(0, 2));
  await putClasses(root, 'extended_photo', 'photo', PHOTOS.slice(2));
}

export async function sakeTuberlin(root: string): Promise<void> {
  const sketches = await putClasses(root, 'png_ready', 'sketch', SKETCHES);
  const photos = await putClasses(root, 'ImageResized_ready', 'photo', PHOTOS);
  await putLists(path.join(root, 'zeroshot'), { sketch: 'png_ready', photo: 'ImageResized_ready' }, sketches, photos);
}

export async function officialTuberlin(root: string): Promise<void> {
  await putClasses(root, 'png', 'sketch', SKETCHES, true);
  await putClasses(root, 'ImageResized', 'photo', PHOTOS);
}

export async function doodleQuickdraw(root: string): Promise<void> {
  await putClasses(root, 'QuickDraw_sketches_final', 'sketch', SKETCHES, true);
  await putClasses(root, 'QuickDraw_images_final', 'photo', PHOTOS);
}

export async function ndjsonQuickdraw(root: string): Promise<void> {
  for (const [index, name] of [...SEEN, ...UNSEEN].entries()) {
    const lines = SKETCHES.map((_, drawing) =>
      drawingLine(SPELLED[name] ?? name, `${index}${drawing}`, [
        [
          [10 * index, 200],
          [20 * drawing, 100],
        ],
      ]),
    );
    await put(path.join(root, `${name}.ndjson`), `${lines.join('\n')}\n`);
  }
  await putClasses(root, 'QuickDraw_images_final', 'photo', PHOTOS, true);
}

export async function plainFolders(root: string): Promise<void> {
  await putClasses(root, 'sketch', 'sketch', SKETCHES);
  await putClasses(root, 'photo', 'photo', PHOTOS, true);
}

/** A line of a file of simplified drawings. */
export function drawingLine(
  word: string,
  key: string,
  drawing: unknown,
  rest: Readonly<Record<string, unknown>> = {},
): string {
  return JSON.stringify({
    word,
    countrycode: 'DE',
    timestamp: '2017-03-01 20:41:36.70725 UTC',
    recognized: true,
    key_id: key,
    drawing,
    ...rest,
  });
}
