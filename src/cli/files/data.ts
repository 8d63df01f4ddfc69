/** The data that commands work on: the embedded default, or a folder of the user's. */

import path from 'node:path';
import type { FolderOptions } from '../../../datasets/folder.ts';
import type { Archive } from '../../../datasets/layouts/index.ts';
import type { UnseenChoice } from '../../../datasets/unseen-classes.ts';
import type { Dataset, Sample } from '../../data/dataset.ts';
import type { SketchFraming } from '../../data/sketch-framing.ts';
import { quoteValue } from '../../formats/untrusted.ts';
import { OptionError } from '../options/option.ts';
import { note, Progress } from '../display/progress.ts';

interface PublishedRequest {
  readonly data: string;
  readonly split?: string;
  readonly drawings?: number;
  readonly quickdraw?: string;
  readonly sources?: string;
  readonly picturesOnly?: boolean;
  readonly pixelCache?: number;
  readonly unseen?: string;
  /**
   * The unseen classes where nothing is said, by name; else the set's only split, and of plain folders a fifth of all.
   */
  readonly unseenClasses?: readonly string[];
  readonly imageSize: number;
  /** How the sketches of folders and published sets are laid out; the drawings of emoji and search come as they are. */
  readonly sketches?: SketchFraming;
  readonly validation?: number;
  readonly trainable?: boolean;
}

interface DataRequest extends PublishedRequest {
  /** Classes of a model that is to be measured. Then all classes of the data may be unseen. */
  readonly trainedClasses?: readonly string[];
  readonly pseudoSketches?: boolean;
  readonly strict: boolean;
  readonly seed: number;
}

/**
 * Opens the data, tells of images that had to be skipped, and shows progress where contents are read. @throws
 * DatasetError, ImageError, OptionError
 */
export async function openData(request: DataRequest): Promise<Dataset> {
  return withContentsShown(await openQuietly(request));
}

/** The first start on a data set reads every file for its digest, which takes minutes where there are many. */
function withContentsShown(dataset: Dataset): Dataset {
  const { images } = dataset;
  const identify = images.identify?.bind(images);
  if (identify === undefined) return dataset;
  const shown = async (samples: readonly Sample[]): Promise<readonly string[]> => {
    const progress = new Progress('contents');
    try {
      return await identify(samples, (done, total) => progress.update(done, total));
    } finally {
      progress.stop();
    }
  };
  return { ...dataset, images: { read: (sample, size) => images.read(sample, size), identify: shown } };
}

async function openQuietly(request: DataRequest): Promise<Dataset> {
  const { data, split, unseen, unseenClasses = [], trainedClasses, strict, imageSize, seed, validation } = request;
  const trainable = trainedClasses === undefined;
  const progress = new Progress('images');
  try {
    if (data === 'emoji' || data === 'emoji-settings') {
      if (unseen !== undefined)
        throw new OptionError(
          '--unseen: the unseen classes of the emoji are fixed, so that figures can be compared; it is for folders',
        );
      if (split !== undefined)
        throw new OptionError(
          '--split: the classes of the emoji are split already; it is for published sets and folders',
        );
      // The drawings are development dependencies, which other data do not need.
      const { loadEmoji } = await import('../../../datasets/emoji.ts');
      return await loadEmoji({
        size: imageSize,
        measureOn: data === 'emoji' ? 'unseen' : 'settings',
        onProgress: (done, total) => progress.update(done, total),
      });
    }
    if (data === 'search' || data === 'search-settings') {
      if (unseen !== undefined || split !== undefined)
        throw new OptionError(
          '--unseen, --split: the classes of the search data are split already; they are for published sets and folders',
        );
      const { loadSearchData, SEARCH_SOURCES } = await import('../../../datasets/search.ts');
      return await loadSearchData({
        size: imageSize,
        drawings: request.quickdraw,
        drawingsPerWord: request.drawings,
        sources: request.sources === undefined ? undefined : sourcesOf(request.sources, SEARCH_SOURCES),
        picturesOnly: request.picturesOnly,
        measureOn: data === 'search' ? 'unseen' : 'settings',
        onProgress: (done, total) => progress.update(done, total),
      });
    }
    const { recognize } = await import('../../../datasets/layouts/index.ts');
    const archive = split === undefined ? await recognize(data) : undefined;
    if (split !== undefined || archive?.set !== undefined) return await openPublished({ ...request, trainable });
    const { loadFolder } = await import('../../../datasets/folder.ts');
    const choice =
      unseen === UNTRAINED
        ? { allBut: untrainedOf(trainedClasses) }
        : unseen !== undefined
          ? unseenChoice(unseen)
          : unseenClasses.length > 0
            ? { classes: unseenClasses }
            : trainedClasses !== undefined
              ? { allBut: trainedClasses }
              : undefined;
    const dataset = await loadFolder({
      ...placesOf(data, archive),
      size: imageSize,
      sketches: request.sketches,
      unseen: choice,
      strict,
      trainable,
      pseudoSketches: request.pseudoSketches,
      seed,
      validationFraction: validation,
      onNotice: note,
      onProgress: (done, total) => progress.update(done, total),
    });
    reportSkipped(dataset.skipped);
    return dataset;
  } finally {
    progress.stop();
  }
}

/** The sources of the search data that --sources names. */
function sourcesOf<Name extends string>(typed: string, known: readonly Name[]): readonly Name[] {
  return typed.split(',').map((name) => {
    const found = known.find((one) => one === name.trim());
    if (found === undefined)
      throw new OptionError(
        `--sources ${quoteValue(typed)}: ${quoteValue(name)} is none; name some of ${known.join(', ')}`,
      );
    return found;
  });
}

/** The root of a folder without a published split, and where the images of each domain are in it. */
function placesOf(data: string, archive: Archive | undefined): Pick<FolderOptions, 'root' | 'folders'> {
  const [sketches, photos] = [archive?.sketchFolders[0], archive?.photoFolders[0]];
  if (archive === undefined || sketches === undefined || photos === undefined) return { root: data };
  return {
    root: path.resolve(data) === archive.root ? data : archive.root,
    folders: { sketch: path.relative(archive.root, sketches), photo: path.relative(archive.root, photos) },
  };
}

/** Opens a published set, says what it was recognized as and what is amiss. @throws DatasetError, OptionError */
export async function openPublished({
  data: root,
  split,
  drawings,
  pixelCache,
  unseen,
  unseenClasses,
  imageSize,
  sketches,
  validation,
  trainable,
}: PublishedRequest): Promise<Dataset> {
  if (unseen !== undefined)
    throw new OptionError(
      `--unseen: ${root} has published splits; name one with --split, or give your own as a JSON file there`,
    );
  const { describeWarnings, loadPublished } = await import('../../../datasets/published.ts');
  const dataset = await loadPublished({
    root,
    split,
    trainable,
    unseenClasses,
    size: imageSize,
    sketches,
    cacheBudget: pixelCache,
    drawingsPerClass: drawings,
    validationFraction: validation,
    onNotice: note,
  });
  note(`${dataset.split.title}: ${dataset.layout} in ${root}, by ${dataset.evidence}`);
  for (const warning of describeWarnings(dataset)) note(`warning: ${warning}`);
  return dataset;
}

/** Says which images were skipped, and why. */
export function reportSkipped(skipped: readonly Error[]): void {
  for (const { message } of skipped) note(`skipped: ${message}`);
  if (skipped.length > 0)
    note(
      `${skipped.length} ${skipped.length === 1 ? 'image was' : 'images were'} skipped; --strict stops at them instead`,
    );
}

/** The word by which --unseen names all classes that a model was not trained on. */
const UNTRAINED = 'untrained';

function untrainedOf(trained: readonly string[] | undefined): readonly string[] {
  if (trained === undefined) throw new OptionError(`--unseen ${UNTRAINED} is for evaluate: there is no model yet`);
  return trained;
}

function unseenChoice(typed: string): UnseenChoice {
  if (typed.trim() === '')
    throw new OptionError('--unseen is empty; give a text file with one class a line, or a share of all classes');
  const share = Number(typed);
  return Number.isNaN(share) ? { listFile: typed } : { fraction: share };
}
