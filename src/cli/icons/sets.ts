/** The icon sets that are to be indexed, and their icons. */
import { iconDigest } from '../../../datasets/icon-drawings.ts';
import { readIconSet, type Icon, type IconSet, type IconSetFiles } from '../../../datasets/icon-sets.ts';
import { nearest } from '../options/configuration.ts';
import { OptionError } from '../options/option.ts';

/** An icon of a set that is to be indexed, without its drawing. */
interface ListedIcon {
  readonly name: string;
  readonly digest: string;
  readonly takesTextColour: boolean;
}

export type ListedSet = Omit<IconSet, 'icons'> & {
  readonly files: IconSetFiles;
  readonly icons: readonly ListedIcon[];
};

/** @throws OptionError where none or an unknown one is chosen */
export function chosenSets(
  found: ReadonlyMap<string, IconSetFiles>,
  named: string | undefined,
  all: boolean,
  root: string,
): ReadonlyMap<string, IconSetFiles> {
  if ((named === undefined) === !all)
    throw new OptionError('--sets or --all is needed, and not both: the names of icon sets, or all that are installed');
  if (found.size === 0)
    throw new OptionError(
      `no icon set is installed for ${root}; npm install @iconify-json/tabler gets one, and @iconify/json all`,
    );
  if (named === undefined) return found;
  const prefixes = [
    ...new Set(
      named
        .split(',')
        .map((prefix) => prefix.trim())
        .filter(Boolean),
    ),
  ].sort();
  if (prefixes.length === 0) throw new OptionError('--sets: no name is given');
  return new Map(
    prefixes.map((prefix) => {
      const files = found.get(prefix);
      if (files !== undefined) return [prefix, files];
      throw new OptionError(
        `--sets: ${prefix} is not installed for ${root}; npm install @iconify-json/${prefix} gets it. Of the ${found.size} that are installed, the nearest name is ${nearest(prefix, [...found.keys()])}`,
      );
    }),
  );
}

/** Reads each set and keeps what tells its icons apart; the drawings of all sets would take a gigabyte. */
export async function listSets(files: ReadonlyMap<string, IconSetFiles>): Promise<ListedSet[]> {
  const listed: ListedSet[] = [];
  for (const each of files.values()) {
    const set = await readIconSet(each);
    listed.push({
      ...set,
      files: each,
      icons: set.icons.map((icon) => ({
        name: icon.name,
        digest: iconDigest(icon),
        takesTextColour: icon.body.includes('currentColor'),
      })),
    });
  }
  return listed;
}

export interface Drawing {
  readonly id: string;
  readonly digest: string;
  readonly icon: Icon;
}

/** The drawings that are to be embedded, each once, so many at a time. */
export async function* pendingDrawings(
  listed: readonly ListedSet[],
  pending: ReadonlySet<string>,
  count: number,
): AsyncGenerator<readonly Drawing[], void, undefined> {
  const yielded = new Set<string>();
  let waiting: Drawing[] = [];
  for (const { prefix, files, icons } of listed) {
    if (!icons.some(({ digest }) => pending.has(digest) && !yielded.has(digest))) continue;
    for (const icon of (await readIconSet(files)).icons) {
      const digest = iconDigest(icon);
      if (!pending.has(digest) || yielded.has(digest)) continue;
      yielded.add(digest);
      waiting.push({ id: `${prefix}:${icon.name}`, digest, icon });
      if (waiting.length < count) continue;
      yield waiting;
      waiting = [];
    }
  }
  if (waiting.length > 0) yield waiting;
}
