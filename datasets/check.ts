/** Looks at every image of a data set: whether it is there, can be read, and is there only once. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ImageError, requireDecodable } from '../src/platform/node/images.ts';
import type { Archive } from './layouts/index.ts';
import { encodedPicture, type Picture } from './pictures.ts';
import type { Problem } from './problems.ts';
import { resolveSplit, type ResolvedSplit, type ResolveOptions } from './resolve.ts';
import { SET_TITLES, type SetName, type Split } from './splits.ts';

export const PARTS = ['train', 'validation', 'queries', 'gallery'] as const;
export type Part = (typeof PARTS)[number];

export interface ClassCounts {
  readonly name: string;
  readonly part: 'seen' | 'unseen';
  /** Those held out included. */
  readonly sketches: number;
  readonly heldOut: number;
  readonly photos: number;
}

export interface SplitReport {
  readonly split: Pick<Split, 'name' | 'title' | 'source' | 'published'>;
  /** What the parts were read from. */
  readonly evidence: string;
  readonly images: Readonly<Record<Part, number>>;
  /** Seen classes, then unseen ones, in the order of their ids. */
  readonly classes: readonly ClassCounts[];
  /** How many class folders or files of drawings are in the archive and not in the split. */
  readonly leftOut: number;
}

export interface CheckReport {
  readonly root: string;
  /** As `data how` names it. */
  readonly layout: string;
  readonly set?: SetName;
  /** The set's. */
  readonly title?: string;
  readonly splits: readonly SplitReport[];
  /** Images that were read, and their bytes. */
  readonly images: number;
  readonly bytes: number;
  readonly problems: readonly Problem[];
}

export interface CheckOptions extends ResolveOptions {
  /** Hears of images done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Images under way at a time: enough for all of sharp's threads, and few enough for the memory. */
const AT_A_TIME = 32;

/**
 * Reads and decodes each image of the splits once, whole. Copies are found by their bytes (SHA-256).
 */
export async function checkArchive(
  archive: Archive,
  splits: readonly Split[],
  { onProgress, ...options }: CheckOptions = {},
): Promise<CheckReport> {
  const resolved: ResolvedSplit[] = [];
  for (const split of splits) resolved.push(await resolveSplit(archive, split, options));
  const pictures = new Map(
    resolved.flatMap((split) =>
      PARTS.flatMap((part) => split[part].map((picture) => [picture.name, picture] as const)),
    ),
  );

  const unreadable = new Map<string, Problem>();
  const byDigest = new Map<string, string[]>();
  let bytes = 0;
  await inspectAll([...pictures.values()], onProgress, (picture, result) => {
    if (result instanceof ImageError) {
      unreadable.set(picture.name, unreadableProblem(picture, result));
      return;
    }
    bytes += result.bytes;
    const copies = byDigest.get(result.digest);
    if (copies === undefined) byDigest.set(result.digest, [picture.name]);
    else copies.push(picture.name);
  });
  const copies = [...byDigest.values()].filter((names) => names.length > 1);
  const problems = [
    ...resolved.flatMap((split) => split.problems),
    // In the pictures' order, whatever order they were read in.
    ...[...pictures.keys()].flatMap((name) => unreadable.get(name) ?? []),
    ...resolved.flatMap((split) => copyProblems(split, copies)),
    ...resolved.flatMap((split) => countProblems(archive, split)),
  ];
  return {
    root: archive.root,
    layout: archive.layout,
    set: archive.set,
    title: archive.set && SET_TITLES[archive.set],
    splits: resolved.map(reportOf),
    images: pictures.size,
    bytes,
    problems: withoutRepetitions(problems),
  };
}

/** Calls `onResult` with each picture's digest, or with what makes it unreadable. */
async function inspectAll(
  pictures: readonly Picture[],
  onProgress: ((done: number, total: number) => void) | undefined,
  onResult: (picture: Picture, result: { readonly digest: string; readonly bytes: number } | ImageError) => void,
): Promise<void> {
  const pending = pictures.values();
  let done = 0;
  const work = async (): Promise<void> => {
    for (const picture of pending) {
      onResult(picture, await inspect(picture));
      onProgress?.(++done, pictures.length);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}

async function inspect(picture: Picture): Promise<{ readonly digest: string; readonly bytes: number } | ImageError> {
  try {
    const encoded = await encodedPicture(picture);
    const bytes = typeof encoded === 'string' ? await readFile(encoded) : encoded;
    await requireDecodable(bytes, picture.name);
    return { digest: createHash('sha256').update(bytes).digest('base64'), bytes: bytes.length };
  } catch (error) {
    return error instanceof ImageError ? error : new ImageError(picture.name, error);
  }
}

function unreadableProblem({ name, listed, drawing }: Picture, { cause }: ImageError): Problem {
  const where = listed === undefined ? '' : ` (${basename(listed.file)}:${listed.line} names it)`;
  const message = `it cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}${where}`;
  return { kind: 'unreadable', severity: 'error', file: drawing?.file ?? name, line: drawing?.line, message };
}

/**
 * Copies of an image in seen and in unseen classes make the measurement worthless, so they are errors. Others are
 * warnings: the published sets have some.
 */
function copyProblems(split: ResolvedSplit, copies: readonly (readonly string[])[]): Problem[] {
  const places = new Map(
    PARTS.flatMap((part) => split[part].map((picture) => [picture.name, { part, picture }] as const)),
  );
  const isSeen = (part: Part): boolean => part === 'train' || part === 'validation';
  return copies.flatMap((names) => {
    const [first, ...others] = names
      .flatMap((name) => places.get(name) ?? [])
      .sort((a, b) => (a.picture.name < b.picture.name ? -1 : 1));
    return others.map(({ part, picture }): Problem => {
      const leak = isSeen(part) !== isSeen(first.part);
      const classes =
        picture.className === first.picture.className
          ? ''
          : `, and of the class ${first.picture.className}, not ${picture.className}`;
      const { file, line } = picture.drawing ?? { file: picture.name, line: undefined };
      return {
        kind: leak ? 'leak' : 'duplicate',
        severity: leak ? 'error' : 'warning',
        file,
        line,
        message: leak
          ? `the same image as ${first.picture.name}${classes}: in ${split.split.name}, one is seen in training and one measured on`
          : `the same image as ${first.picture.name}${classes}`,
      };
    });
  });
}

function countProblems(archive: Archive, { split, queries, gallery, train, validation }: ResolvedSplit): Problem[] {
  if (split.published === undefined) return [];
  const warn = (message: string): Problem => ({
    kind: 'count',
    severity: 'warning',
    file: archive.root,
    message: `${split.name}: ${message}`,
  });
  const problems: Problem[] = [];
  if (queries.length !== split.published.queries)
    problems.push(warn(`${queries.length} queries, and the literature's figures are of ${split.published.queries}`));
  if (gallery.length !== split.published.gallery)
    problems.push(
      warn(`${gallery.length} photos in the gallery, and the literature's figures are of ${split.published.gallery}`),
    );
  const { sketchesPerClass } = split.published;
  if (sketchesPerClass !== undefined) {
    const counts = countByClass([...train, ...validation, ...queries].filter(({ domain }) => domain === 'sketch'));
    const other = [...counts]
      .filter(([, count]) => count !== sketchesPerClass)
      .map(([name, count]) => `${name} ${count}`);
    if (other.length > 0)
      problems.push(warn(`other than ${sketchesPerClass} sketches in a class: ${other.join(', ')}`));
  }
  return problems;
}

function reportOf({ split, evidence, seenClasses, unseenClasses, leftOut, ...parts }: ResolvedSplit): SplitReport {
  const { train, validation, queries, gallery } = parts;
  const sketches = countByClass([...train, ...validation, ...queries].filter(({ domain }) => domain === 'sketch'));
  const photos = countByClass([...train, ...gallery].filter(({ domain }) => domain === 'photo'));
  const held = countByClass(validation);
  const countsOf =
    (part: 'seen' | 'unseen') =>
    (name: string): ClassCounts => ({
      name,
      part,
      sketches: sketches.get(name) ?? 0,
      heldOut: held.get(name) ?? 0,
      photos: photos.get(name) ?? 0,
    });
  return {
    split: { name: split.name, title: split.title, source: split.source, published: split.published },
    evidence,
    images: { train: train.length, validation: validation.length, queries: queries.length, gallery: gallery.length },
    classes: [...seenClasses.map(countsOf('seen')), ...unseenClasses.map(countsOf('unseen'))],
    leftOut: leftOut.length,
  };
}

function countByClass(pictures: readonly Picture[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { className } of pictures) counts.set(className, (counts.get(className) ?? 0) + 1);
  return counts;
}

/** Splits that share files share their problems. */
function withoutRepetitions(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}
