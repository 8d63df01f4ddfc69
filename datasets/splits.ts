/** Which classes are seen and which unseen: the published splits, and people's own. */
import { readFile } from 'node:fs/promises';
import { DatasetError } from '../src/data/dataset.ts';
import { decodeText } from '../src/formats/text.ts';
import { packageFile } from '../src/platform/node/package-files.ts';
import { classKey } from '../src/data/class-names.ts';

/** The published data sets. */
export type SetName = 'sketchy' | 'tuberlin' | 'quickdraw';

export const SET_TITLES: Readonly<Record<SetName, string>> = {
  sketchy: 'Sketchy Extended',
  tuberlin: 'TU-Berlin Extended',
  quickdraw: 'QuickDraw Extended',
};

/** Seen and unseen classes of a data set. */
export interface Split {
  /** A published split's name, or the file's. */
  readonly name: string;
  readonly title: string;
  /** Where the split comes from. */
  readonly source: string;
  /** The set that it splits, if it is a published one. */
  readonly set?: SetName;
  /** The folder in the SAKE archive that has the lists of this split. */
  readonly lists?: string;
  /** Numbers of images that figures in the literature refer to. */
  readonly published?: { readonly queries: number; readonly gallery: number; readonly sketchesPerClass?: number };
  /** Other names of classes, by which some sources call them. */
  readonly spellings?: Readonly<Record<string, string>>;
  /** In the order of the class ids. */
  readonly seen: readonly string[];
  readonly unseen: readonly string[];
}

export const PUBLISHED_SPLITS = ['sketchy1', 'sketchy2', 'tuberlin', 'quickdraw'] as const;

/**
 * A published split by its name, or a JSON file with `seen` and `unseen`, lists of class names, and, for list files in
 * the manner of SAKE's, `lists`, the name of their folder in the archive.
 * @throws DatasetError if it is neither, or contains a class twice, in any spelling
 */
export async function readSplit(given: string): Promise<Split> {
  if (PUBLISHED_SPLITS.some((name) => name === given)) {
    const file = packageFile(`datasets/splits/${given}.json`);
    return { ...(JSON.parse(await readFile(file, 'utf8')) as Omit<Split, 'name'>), name: given };
  }
  const text = await readFile(given)
    .then(decodeText)
    .catch((cause: Error) => {
      throw new DatasetError(
        `the split ${given} is none of ${PUBLISHED_SPLITS.join(', ')}, and as a file it cannot be read: ${cause.message}`,
        { cause },
      );
    });
  return splitFrom(text, given);
}

export async function publishedSplits(set: SetName): Promise<Split[]> {
  return (await Promise.all(PUBLISHED_SPLITS.map(readSplit))).filter((split) => split.set === set);
}

function splitFrom(text: string, file: string): Split {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new DatasetError(`${file} is no JSON: ${(cause as Error).message}`, { cause });
  }
  const { seen, unseen, lists } = (typeof content === 'object' && content !== null ? content : {}) as Record<
    string,
    unknown
  >;
  const areNames = (names: unknown): names is string[] =>
    Array.isArray(names) && names.every((name) => typeof name === 'string' && classKey(name) !== '');
  if (!areNames(seen) || !areNames(unseen))
    throw new DatasetError(`${file} must hold {"seen": [...], "unseen": [...]}, lists of class names`);
  if (lists !== undefined && (typeof lists !== 'string' || !/^[^/\\]+$/.test(lists)))
    throw new DatasetError(`${file}: "lists" must be the name of a folder in the archive`);
  const known = new Map<string, string>();
  for (const name of [...seen, ...unseen]) {
    const other = known.get(classKey(name));
    if (other !== undefined)
      throw new DatasetError(`${file}: "${other}" and "${name}" are one class; name it once, as seen or as unseen`);
    known.set(classKey(name), name);
  }
  return { name: file, title: file, source: file, lists, seen, unseen };
}
