/** The parts of a split by class folders and files of drawings. */
import { basename, join } from 'node:path';
import type { Domain } from '../src/data/dataset.ts';
import { IMAGE_EXTENSIONS } from '../src/platform/node/images.ts';
import { describeUnread, listPictures, type SkippedEntry } from '../src/platform/node/picture-files.ts';
import { classKey } from '../src/data/class-names.ts';
import { indexDrawings } from './drawings.ts';
import { holdOutSketches, HOLD_OUT_SEED, HOLD_OUT_SHARE } from './hold-out.ts';
import { foldersAndSkipped } from './layouts/folders.ts';
import type { Archive } from './layouts/index.ts';
import type { Picture } from './pictures.ts';
import type { Problem } from './problems.ts';
import type { ResolvedSplit, ResolveOptions } from './resolved-split.ts';
import type { Split } from './splits.ts';

/**
 * The 330,000 sketches of QuickDraw Extended's 110 classes (Dey et al. 2019); which ones of Quick, Draw! they are is
 * not published by key.
 */
const DRAWINGS_PER_CLASS = 3000;

/**
 * All images of the split's classes, in the order of the classes and of their paths. A share of the seen sketches is
 * held out.
 */
export async function resolveByFolders(
  archive: Archive,
  split: Split,
  options: ResolveOptions,
): Promise<ResolvedSplit> {
  const { validationFraction = HOLD_OUT_SHARE, drawingsPerClass = DRAWINGS_PER_CLASS } = options;
  const found = new Found(split);
  for (const folder of archive.sketchFolders) await addFolder(found, 'sketch', folder);
  for (const file of archive.drawingFiles) await addDrawings(found, file, drawingsPerClass);
  for (const folder of archive.photoFolders) await addFolder(found, 'photo', folder);

  for (const domain of ['sketch', 'photo'] as const) {
    const lacking = [...split.seen, ...split.unseen].filter((name) => found.of(name, domain).length === 0);
    if (lacking.length > 0)
      found.problems.push({
        kind: 'class',
        severity: 'error',
        file: archive.root,
        message: `there is no ${domain} of ${lacking.join(', ')}`,
      });
  }
  const seen = split.seen.flatMap((name) => [...found.of(name, 'sketch'), ...found.of(name, 'photo')]);
  const held = holdOutSketches(seen, validationFraction, HOLD_OUT_SEED);
  return {
    split,
    evidence:
      archive.drawingFiles.length > 0
        ? `class folders, and of each file the first ${drawingsPerClass} drawings that were recognized`
        : 'class folders',
    seenClasses: split.seen,
    unseenClasses: split.unseen,
    train: seen.filter((picture) => !held.has(picture)),
    validation: [...held],
    queries: split.unseen.flatMap((name) => found.of(name, 'sketch')),
    gallery: split.unseen.flatMap((name) => found.of(name, 'photo')),
    leftOut: found.leftOut,
    problems: found.problems,
  };
}

/** Pictures by class and domain, gathered from several places. */
class Found {
  readonly problems: Problem[] = [];
  readonly leftOut: string[] = [];
  private readonly names = new Map<string, string>();
  private readonly pictures: Readonly<Record<Domain, Map<string, Picture[]>>> = { sketch: new Map(), photo: new Map() };

  constructor({ seen, unseen, spellings = {} }: Split) {
    for (const name of [...seen, ...unseen]) this.names.set(classKey(name), name);
    for (const [other, name] of Object.entries(spellings)) this.names.set(classKey(other), name);
  }

  /** The split's class that is written so, if any is. */
  className(written: string): string | undefined {
    return this.names.get(classKey(written));
  }

  of(className: string, domain: Domain): readonly Picture[] {
    return this.pictures[domain].get(className) ?? [];
  }

  add(className: string, domain: Domain, pictures: readonly Picture[]): void {
    this.pictures[domain].set(className, [...this.of(className, domain), ...pictures]);
  }
}

async function addFolder(found: Found, domain: Domain, folder: string): Promise<void> {
  const spelled = new Map<string, string>();
  const { names, skipped } = await foldersAndSkipped(folder);
  for (const entry of skipped) found.problems.push(skippedProblem(entry));
  for (const name of names) {
    const path = join(folder, name);
    const className = found.className(name);
    if (className === undefined) {
      found.leftOut.push(path);
      continue;
    }
    const before = spelled.get(className);
    if (before !== undefined) {
      found.problems.push({
        kind: 'class',
        severity: 'error',
        file: folder,
        message: `the folders "${before}" and "${name}" are one class; merge them or rename one`,
      });
      continue;
    }
    spelled.set(className, name);
    const listing = await listPictures(path, { deep: false }).catch((cause: Error) => {
      found.problems.push({
        kind: 'unreadable',
        severity: 'error',
        file: path,
        message: `it cannot be read: ${cause.message}`,
      });
      return undefined;
    });
    if (listing === undefined) continue;
    const files = listing.names;
    for (const entry of listing.skipped) found.problems.push(skippedProblem(entry));
    const unread = describeUnread(listing, basename(path));
    if (unread !== undefined)
      found.problems.push({ kind: 'skipped', severity: 'warning', file: path, message: unread });
    if (files.length === 0)
      found.problems.push({
        kind: 'empty',
        severity: 'error',
        file: path,
        message: `there is no image in it (${IMAGE_EXTENSIONS.join(', ')})`,
      });
    found.add(
      className,
      domain,
      files.map((file) => ({ domain, className, name: join(path, file) })),
    );
  }
}

const skippedProblem = ({ path, reason }: SkippedEntry): Problem => ({
  kind: 'skipped',
  severity: 'warning',
  file: path,
  message: `it is skipped: ${reason}`,
});

async function addDrawings(found: Found, file: string, most: number): Promise<void> {
  const { word, drawings, problems } = await indexDrawings(file, most);
  const className = word === undefined ? undefined : found.className(word);
  if (word !== undefined && className === undefined) {
    found.leftOut.push(file);
    return;
  }
  for (const problem of problems) found.problems.push(problem);
  if (className === undefined) return;
  const before = found.of(className, 'sketch')[0]?.drawing?.file;
  if (before !== undefined) {
    found.problems.push({
      kind: 'class',
      severity: 'error',
      file,
      message: `it is of ${className}, as ${basename(before)} is; keep one of the two`,
    });
    return;
  }
  found.add(
    className,
    'sketch',
    drawings.map(({ key, ...drawing }) => ({ domain: 'sketch', className, name: `${file}#${key}`, drawing })),
  );
}
