/** Sketchy, TU-Berlin and QuickDraw Extended as data sets, whatever their layout on disk. */
import { classKey } from '../src/data/class-names.ts';
import { checkDataset, DatasetError, type Dataset } from '../src/data/dataset.ts';
import { recognize, type Archive } from './layouts/index.ts';
import { openPictures, type PictureOptions, type PictureSource } from './pictures.ts';
import { describeProblem, requireUsable, type Problem } from './problems.ts';
import { resolveSplit, type ResolveOptions } from './resolve.ts';
import { publishedSplits, readSplit, SET_TITLES, type Split } from './splits.ts';

/** Which published data set is read, and how. */
export interface PublishedOptions extends PictureOptions, ResolveOptions {
  /** The archive's folder, or the one above or below it. */
  readonly root: string;
  /** A published split's name or a JSON file. Default: the only one of the set, or the one with `unseenClasses`. */
  readonly split?: string;
  /** Unseen classes of a model that is to be measured, which say which split it was trained on. */
  readonly unseenClasses?: readonly string[];
  /** False where the data is only measured on, so that every class may be unseen. Default true. */
  readonly trainable?: boolean;
}

export interface PublishedDataset extends Dataset {
  readonly images: PictureSource;
  /** How it is stored on disk, as `sketchgrad data how` names it. */
  readonly layout: string;
  readonly split: Split;
  /** What the parts were read from, such as "the lists in zeroshot1". */
  readonly evidence: string;
  readonly warnings: readonly Problem[];
}

/**
 * The data set in a folder under one of its splits: seen classes to train on, their held-out sketches for the choice of
 * a checkpoint, and unseen classes to measure on. Nothing is decoded here. A sample's name is its path.
 *
 * @throws DatasetError where no layout is recognized, and with lists, lines and files where anything is missing or
 * contradicts itself
 */
export async function loadPublished(options: PublishedOptions): Promise<PublishedDataset> {
  const given = options.split === undefined ? undefined : await readSplit(options.split);
  const archive = await recognize(options.root, given?.set);
  if (archive === undefined)
    throw new DatasetError(
      `${options.root}: no data set is recognized there; sketchgrad data how shows how each is laid out`,
    );
  const split = given ?? (await onlySplit(archive, options.unseenClasses));
  requireSameSet(archive, split);
  const { seenClasses, unseenClasses, train, validation, queries, gallery, evidence, problems } = await resolveSplit(
    archive,
    split,
    options,
  );
  const name = `${split.name} in ${archive.root}`;
  requireUsable(name, problems);
  const images = await openPictures([...train, ...validation, ...queries, ...gallery], options);
  const dataset = checkDataset(
    { name, seenClasses, unseenClasses, train, validation, queries, gallery, images },
    options,
  );
  return { ...dataset, images, layout: archive.layout, split, evidence, warnings: problems };
}

async function onlySplit({ set, root }: Archive, unseenClasses: readonly string[] | undefined): Promise<Split> {
  const splits = set === undefined ? [] : await publishedSplits(set);
  const key = (names: readonly string[]): string => JSON.stringify(names.map(classKey).sort());
  const chosen =
    unseenClasses === undefined ? splits : splits.filter(({ unseen }) => key(unseen) === key(unseenClasses));
  if (chosen.length === 1) return chosen[0];
  const names = splits.map((split) => split.name).join(' or ');
  throw new DatasetError(
    `${root}: say which classes are seen and which unseen with --split${names === '' ? '' : ` ${names}`}, or a JSON file {"seen": [...], "unseen": [...]}`,
  );
}

/** @throws DatasetError where a published split is of another set than the archive; plain folders may hold any */
export function requireSameSet({ root, set }: Archive, split: Split): void {
  if (set !== undefined && split.set !== undefined && split.set !== set)
    throw new DatasetError(
      `the split ${split.name} is of ${SET_TITLES[split.set]}, and ${root} holds ${SET_TITLES[set]}`,
    );
}

/** The warnings as lines. */
export function describeWarnings({ warnings }: PublishedDataset): string[] {
  return warnings.map(describeProblem);
}
