/**
 * Icon sets in Iconify's format, as they are installed: the npm packages `@iconify-json/<set>`, each one set, and
 * `@iconify/json`, which has them all. The format is https://iconify.design/docs/types/iconify-json.html.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BoundedError, isJsonObject, parseJson, quoteValue } from '../src/formats/untrusted.ts';
import { packageFile } from '../src/platform/node/package-files.ts';
import type { IconLicence } from '../src/retrieval/icon-index.ts';
import type { SetStyles } from '../src/retrieval/icon-style.ts';
import { nodeModulesAbove } from './installed-package.ts';

/** A set that is not installed, or whose files are not what the format says. The message names it and what to do. */
export class IconSetError extends BoundedError {
  override readonly name = 'IconSetError';
}

/** Where an installed set is. */
export interface IconSetFiles {
  /** The set's name, by which its icons are known: `<prefix>:<name>`. */
  readonly prefix: string;
  readonly icons: string;
  /** Licence and styles; undefined where the first file has them too. */
  readonly info?: string;
}

/** A drawing. Its box is in its own units, as an SVG's viewBox is. */
export interface Icon {
  readonly name: string;
  /** The content of an SVG element. */
  readonly body: string;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** An icon set as its package gives it. */
export interface IconSet {
  readonly prefix: string;
  readonly title: string;
  readonly licence: IconLicence;
  readonly styles: SetStyles;
  /** Without aliases and hidden icons, by name. */
  readonly icons: readonly Icon[];
}

/** Bytes of a file of icons; the largest set, fluent-emoji, has 104 MB. */
const LARGEST_FILE = 2 ** 29;
const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;
/** The side of an icon where neither it nor its set gives one. */
const DEFAULT_SIDE = 16;

/**
 * The sets that are installed, by prefix: from the folder's node_modules and those of the folders above it, then from
 * this package's. What is nearer wins; at one place, a package of a single set wins over the package of all.
 * @param folder the folder that a project's packages are looked for from
 */
export async function findIconSets(folder: string): Promise<ReadonlyMap<string, IconSetFiles>> {
  const found = new Map<string, IconSetFiles>();
  for (const modules of [
    ...nodeModulesAbove(folder),
    ...nodeModulesAbove(path.dirname(fileURLToPath(packageFile('package.json')))),
  ]) {
    for (const files of [...(await singleSets(modules)), ...(await collection(modules))])
      if (!found.has(files.prefix)) found.set(files.prefix, files);
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Reads a set.
 * @throws IconSetError where its files are not what the format says
 */
export async function readIconSet({ prefix, icons: iconsFile, info: infoFile }: IconSetFiles): Promise<IconSet> {
  const content = await readObject(iconsFile);
  const info = infoFile === undefined ? content.info : await readObject(infoFile);
  const fail = (problem: string): never => {
    throw new IconSetError(
      `${iconsFile} is no icon set of Iconify's: ${problem}; install it again (npm install @iconify-json/${prefix})`,
    );
  };
  if (content.prefix !== prefix) fail(`its prefix is ${quoteValue(content.prefix)} instead of ${prefix}`);
  if (!isJsonObject(content.icons)) return fail('it has no icons');
  const { icons } = content;
  const about = isJsonObject(info) ? info : {};
  const licence = isJsonObject(about.license) ? about.license : {};
  return {
    prefix,
    title: textOr(about.name, prefix),
    licence: { title: textOr(licence.title, 'unknown'), spdx: textOr(licence.spdx, ''), url: textOr(licence.url, '') },
    styles: {
      prefix,
      ...(typeof about.palette === 'boolean' && { palette: about.palette }),
      prefixes: titles(content.prefixes),
      suffixes: titles(content.suffixes),
    },
    icons: Object.keys(icons)
      .sort()
      .flatMap((name) => iconOf(name, icons[name], content) ?? []),
  };
}

/** The icon as an SVG document. @param side of the longer side in pixels; left out, the icon's own size */
export function iconSvg({ body, left, top, width, height }: Icon, side?: number): string {
  const scale = side === undefined ? 1 : side / Math.max(width, height);
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${round(width * scale)}" height="${round(height * scale)}" viewBox="${left} ${top} ${width} ${height}">${body}</svg>`;
}

const round = (length: number): number => Math.max(1e-2, Math.round(1e2 * length) / 1e2);

/** Undefined for an icon that its set hides, or that has no body, no proper name or no size. */
function iconOf(name: string, entry: unknown, set: Readonly<Record<string, unknown>>): Icon | undefined {
  if (!isJsonObject(entry) || entry.hidden === true || typeof entry.body !== 'string' || !NAME.test(name))
    return undefined;
  const length = (key: string, otherwise: number): number =>
    [entry[key], set[key]].find((value): value is number => Number.isFinite(value)) ?? otherwise;
  const icon = {
    name,
    body: entry.body,
    left: length('left', 0),
    top: length('top', 0),
    width: length('width', DEFAULT_SIDE),
    height: length('height', DEFAULT_SIDE),
  };
  return icon.width > 0 && icon.height > 0 ? icon : undefined;
}

async function singleSets(modules: string): Promise<IconSetFiles[]> {
  const folder = path.join(modules, '@iconify-json');
  const sets = await Promise.all(
    (await namesIn(folder))
      .filter((prefix) => NAME.test(prefix))
      .map(async (prefix): Promise<IconSetFiles[]> => {
        const [icons, info] = ['icons.json', 'info.json'].map((name) => path.join(folder, prefix, name));
        return (await isFile(icons)) ? [{ prefix, icons, info }] : [];
      }),
  );
  return sets.flat();
}

/** The sets of `@iconify/json` that its list has; it keeps the files of sets that were withdrawn. */
async function collection(modules: string): Promise<IconSetFiles[]> {
  const folder = path.join(modules, '@iconify', 'json');
  const list = path.join(folder, 'collections.json');
  if (!(await isFile(list))) return [];
  const listed = await readObject(list);
  return (await namesIn(path.join(folder, 'json')))
    .filter((name) => name.endsWith('.json') && name.slice(0, -5) in listed)
    .map((name) => ({ prefix: name.slice(0, -5), icons: path.join(folder, 'json', name) }));
}

const namesIn = (folder: string): Promise<string[]> =>
  readdir(folder).then(
    (names) => names.sort(),
    () => [],
  );
const isFile = (file: string): Promise<boolean> =>
  stat(file).then(
    (found) => found.isFile(),
    () => false,
  );

async function readObject(file: string): Promise<Readonly<Record<string, unknown>>> {
  const fail = (problem: string, cause?: unknown): never => {
    throw new IconSetError(`${file} ${problem}; install the package again`, { cause });
  };
  const found = await stat(file).catch((cause: Error) => fail(`cannot be read: ${cause.message}`, cause));
  if (found.size > LARGEST_FILE) fail(`has ${found.size} bytes, and ${LARGEST_FILE} are the most that is read`);
  const text = await readFile(file, 'utf8').catch((cause: Error) => fail(`cannot be read: ${cause.message}`, cause));
  const content = parseJson(text, (problem, cause) => fail(`is ${problem}`, cause));
  return isJsonObject(content) ? content : fail('is no JSON object');
}

const textOr = (value: unknown, otherwise: string): string =>
  typeof value === 'string' && value !== '' ? value : otherwise;

/** The words of a set's map from the beginnings or ends of names to words, such as { outline: "Outline" }. */
function titles(value: unknown): ReadonlyMap<string, string> {
  return new Map(
    isJsonObject(value)
      ? Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
      : [],
  );
}
