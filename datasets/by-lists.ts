/** The parts of a split by the list files of the SAKE archive. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';
import type { Domain } from '../src/data/dataset.ts';
import { classKey } from '../src/data/class-names.ts';
import { isHidden } from '../src/platform/node/hidden-files.ts';
import { holdOutSketches, HOLD_OUT_SEED, HOLD_OUT_SHARE } from './hold-out.ts';
import type { Archive } from './layouts/index.ts';
import { readList, type List, type ListEntry } from './list-file.ts';
import type { Picture } from './pictures.ts';
import type { Problem } from './problems.ts';
import type { ResolvedSplit, ResolveOptions } from './resolved-split.ts';
import type { SetName, Split } from './splits.ts';

/** The prefix of `_filelist_<part>.txt`. */
const LIST_NAMES: Readonly<Partial<Record<SetName, Readonly<Record<Domain, string>>>>> = {
  sketchy: { sketch: 'sketch_tx_000000000000_ready', photo: 'all_photo' },
  tuberlin: { sketch: 'png_ready', photo: 'ImageResized_ready' },
};

/** Whether an archive has the lists of a split. */
export function hasLists({ set, listFolders }: Archive, { lists }: Split): boolean {
  return set !== undefined && LIST_NAMES[set] !== undefined && lists !== undefined && listFolders.includes(lists);
}

/**
 * Seen classes and their images from the `train` lists, unseen ones from `zero`, and held-out sketches of seen classes
 * from `test`; without such a list, a share of the sketches is held out. Labels are the class ids.
 */
export async function resolveByLists(
  archive: Archive,
  split: Split,
  { validationFraction = HOLD_OUT_SHARE }: ResolveOptions,
): Promise<ResolvedSplit> {
  const names = LIST_NAMES[archive.set as SetName] as Readonly<Record<Domain, string>>;
  const folder = join(archive.root, split.lists as string);
  const problems: Problem[] = [];
  const collect = (list: List): List => {
    for (const problem of list.problems) problems.push(problem);
    return list;
  };
  const open = (domain: Domain, part: string): Promise<List> =>
    readList(join(folder, `${names[domain]}_filelist_${part}.txt`));
  const seen = classesOf(collect(await readList(join(folder, 'cname_cid.txt'))), split.seen, problems);
  const unseen = classesOf(collect(await readList(join(folder, 'cname_cid_zero.txt'))), split.unseen, problems);

  const reader = new ListReader(archive.root, problems);
  const test = await open('sketch', 'test');
  const withoutTest = test.problems.some(({ kind }) => kind === 'missing');
  if (withoutTest)
    problems.push({
      kind: 'missing',
      severity: 'warning',
      file: test.file,
      message: 'the list is missing: other sketches of seen classes are held out instead',
    });
  const listedTest = withoutTest ? [] : await reader.pictures('sketch', collect(test), seen, false);
  const sketches = await reader.pictures('sketch', collect(await open('sketch', 'train')), seen);
  const photos = await reader.pictures('photo', collect(await open('photo', 'train')), seen);
  const queries = await reader.pictures('sketch', collect(await open('sketch', 'zero')), unseen);
  const gallery = await reader.pictures('photo', collect(await open('photo', 'zero')), unseen);
  const held = withoutTest ? holdOutSketches(sketches, validationFraction, HOLD_OUT_SEED) : new Set(listedTest);
  return {
    split,
    evidence: `the lists in ${basename(folder)}`,
    seenClasses: seen.names,
    unseenClasses: unseen.names,
    train: [...sketches, ...photos].filter((picture) => !held.has(picture)),
    validation: [...held],
    queries,
    gallery,
    leftOut: [],
    problems,
  };
}

interface ListedClasses {
  readonly file: string;
  /** By class id, in the split's spelling. */
  readonly names: readonly string[];
}

/** The classes of a `cname_cid` list, which must be those of the split. Their order is the list's. */
function classesOf({ file, entries }: List, expected: readonly string[], problems: Problem[]): ListedClasses {
  const spelled = new Map(expected.map((name) => [classKey(name), name]));
  const lineOf = new Map<string, ListEntry>();
  const names: string[] = [];
  for (const entry of entries) {
    const { name, id, line } = entry;
    const key = classKey(name);
    const before = lineOf.get(key);
    if (before !== undefined)
      problems.push({
        kind: 'class',
        severity: 'error',
        file,
        line,
        message: `"${name}" and "${before.name}" in line ${before.line} are one class`,
      });
    else if (!spelled.has(key))
      problems.push({ kind: 'class', severity: 'error', file, line, message: `"${name}" is no class of this split` });
    else if (id >= expected.length)
      problems.push({
        kind: 'wrong id',
        severity: 'error',
        file,
        line,
        message: `class id ${id}, where there are ${expected.length} classes, counted from 0`,
      });
    else if (names[id] !== undefined)
      problems.push({
        kind: 'wrong id',
        severity: 'error',
        file,
        line,
        message: `class id ${id} is that of "${names[id]}" already`,
      });
    else names[id] = spelled.get(key) as string;
    lineOf.set(key, before ?? entry);
  }
  const lacking = expected.filter((name) => !lineOf.has(classKey(name)));
  if (entries.length > 0 && lacking.length > 0)
    problems.push({ kind: 'class', severity: 'error', file, message: `the list lacks ${lacking.join(', ')}` });
  if (names.some((name, id) => name !== expected[id]))
    problems.push({
      kind: 'wrong id',
      severity: 'warning',
      file,
      message: 'the class ids are in another order than the published ones; labels follow the list',
    });
  return { file, names: Array.from(expected, (_, id) => names[id] ?? expected[id]) };
}

/** Resolves entries of lists to pictures, and finds files that are missing or listed twice. */
class ListReader {
  private readonly folders: Folders;
  private readonly places = new Map<string, { readonly file: string; readonly line: number }>();
  private readonly root: string;
  private readonly problems: Problem[];

  constructor(root: string, problems: Problem[]) {
    this.root = root;
    this.folders = new Folders(root);
    this.problems = problems;
  }

  /**
   * What a listing of folders passes over is passed over here, too. @param everyClass whether a class without a line is
   * an error
   */
  async pictures(
    domain: Domain,
    { file, entries }: List,
    classes: ListedClasses,
    everyClass = true,
  ): Promise<Picture[]> {
    const pictures: Picture[] = [];
    const found = new Set<string>();
    const hidden: ListEntry[] = [];
    for (const entry of entries) {
      const { name: written, id, line } = entry;
      const report = (kind: Problem['kind'], severity: Problem['severity'], message: string): void =>
        void this.problems.push({ kind, severity, file, line, message });
      const relative = normalize(written);
      if (isAbsolute(relative) || relative.startsWith('..')) {
        report('malformed', 'error', `${written} leads out of ${this.root}`);
        continue;
      }
      if (isHidden(relative)) {
        hidden.push(entry);
        continue;
      }
      const className = classes.names[id];
      if (className === undefined) {
        report(
          'wrong id',
          'error',
          `class id ${id}, and ${basename(classes.file)} has ${classes.names.length} classes, counted from 0`,
        );
        continue;
      }
      const folder = basename(dirname(relative));
      if (classKey(folder) !== classKey(className)) {
        report('wrong id', 'error', `class id ${id} is ${className}, and ${written} is in the folder ${folder}`);
        continue;
      }
      const before = this.places.get(relative);
      if (before !== undefined) {
        // What is held out is not trained on; else nothing is lost but a line.
        report('duplicate', 'warning', `${written} is already in ${basename(before.file)}:${before.line}`);
        continue;
      }
      this.places.set(relative, { file, line });
      found.add(className);
      const path = await this.folders.find(relative);
      if (path === undefined) report('missing', 'error', `${join(this.root, relative)} does not exist`);
      else pictures.push({ domain, className, name: path, listed: { file, line } });
    }
    if (hidden.length > 0) {
      const [{ name, line }] = hidden;
      this.problems.push({
        kind: 'skipped',
        severity: 'warning',
        file,
        line,
        message: `${name} is hidden, or in a folder that systems keep beside pictures; ${hidden.length === 1 ? 'the line is' : `such lines, ${hidden.length} in all, are`} passed over`,
      });
    }
    const without = classes.names.filter((name) => !found.has(name));
    if (everyClass && entries.length > 0 && without.length > 0)
      this.problems.push({ kind: 'empty', severity: 'error', file, message: `no line is of ${without.join(', ')}` });
    return pictures;
  }
}

/** What is in a folder and the folders in it, each read once. */
class Folders {
  private readonly root: string;
  private readonly read = new Map<string, Promise<ReadonlyMap<string, string>>>();

  constructor(root: string) {
    this.root = root;
  }

  /**
   * The path as the disk spells it: some systems write an accent as a character of its own. Undefined where there is no
   * such file.
   * @param relative to the root
   */
  async find(relative: string): Promise<string | undefined> {
    if (relative === '.') return this.root;
    const folder = dirname(relative);
    const paths = this.read.get(folder) ?? this.pathsIn(folder);
    this.read.set(folder, paths);
    return (await paths).get(basename(relative).normalize('NFC'));
  }

  private async pathsIn(folder: string): Promise<ReadonlyMap<string, string>> {
    const spelled = await this.find(folder);
    const names = spelled === undefined ? [] : await readdir(spelled).catch(() => []);
    return new Map(names.map((name) => [name.normalize('NFC'), join(spelled as string, name)]));
  }
}
