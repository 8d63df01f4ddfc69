import type { DeviceStorage } from '../autodiff/device-storage.ts';
import { sharedClasses } from '../data/class-names.ts';
import { DatasetError, type Dataset, type Sample } from '../data/dataset.ts';
import { RandomStream, STREAM } from '../random/philox.ts';
import { evaluateRetrieval, evaluateRetrievalOnDevice } from '../retrieval/evaluate.ts';
import type { Labels, Protocol, RetrievalMetrics } from '../retrieval/metrics.ts';
import type { ImageRows } from './image-rows.ts';

/** The values of k for mAP@k and P@k that are reported where nothing is said. */
export const CUTOFFS: readonly number[] = [1, 10, 100, 200];

/**
 * Up to so many products, one or two seconds' work, the host computes cosines: it takes longer to prepare a device for
 * them.
 */
const HOST_PRODUCTS = 2 ** 31;

/** What searches what. */
export interface RetrievalTask {
  readonly name: string;
  readonly queries: readonly Sample[];
  /** Where it is the list of queries itself, no query finds itself. */
  readonly gallery: readonly Sample[];
  /** Labels in the metrics are indices into these. */
  readonly classNames: readonly string[];
}

/** The embeddings of a task's images. */
export interface EmbeddedTask {
  /** [queries, dimension] and [gallery, dimension]. */
  readonly queries: Float32Array;
  readonly gallery: Float32Array;
  readonly labels: Labels;
}

/** The metrics, and what they were computed from. */
export interface Evaluation extends EmbeddedTask {
  readonly metrics: RetrievalMetrics;
}

/** The zero-shot task (docs/evaluation.md): sketches of unseen classes search photos of unseen classes. */
export function unseenTask({ name, queries, gallery, unseenClasses }: Dataset): RetrievalTask {
  return { name: `${name}, unseen classes`, queries, gallery, classNames: unseenClasses };
}

/** Photos of unseen classes search one another: what the embedding is worth where there is no gap between domains. */
export function photoTask({ name, gallery, unseenClasses }: Dataset): RetrievalTask {
  return { name: `${name}, unseen classes, photo to photo`, queries: gallery, gallery, classNames: unseenClasses };
}

/**
 * Generalised zero-shot retrieval at its hardest: sketches of unseen classes search the photos of all classes, those
 * that were trained on included, to which a network is drawn.
 */
export function generalisedTask({ name, queries, gallery, train, unseenClasses, seenClasses }: Dataset): RetrievalTask {
  return {
    name: `${name}, generalised (all photos of seen classes in the gallery)`,
    queries,
    gallery: [...gallery, ...train.filter(({ domain }) => domain === 'photo')],
    classNames: [...unseenClasses, ...seenClasses],
  };
}

/** How many seen sketches and photos SEM-PCYC adds, as a share of the unseen ones. */
const SEM_PCYC_SHARE = 0.2;

/**
 * The generalised task as SEM-PCYC has it (Dutta and Akata, CVPR 2019; their published test.py), on which later papers
 * build: to the unseen sketches and photos come a fifth of their numbers of seen ones, drawn at random, as queries and
 * as gallery.
 */
export function semPcycTask(
  { name, queries, gallery, train, unseenClasses, seenClasses }: Dataset,
  seed: number,
): RetrievalTask {
  const drawn = (domain: Sample['domain'], unseen: number): Sample[] => {
    const samples = train.filter((sample) => sample.domain === domain);
    const order = new RandomStream(seed, STREAM.split, [domain === 'sketch' ? 0 : 1, samples.length]).shuffle([
      ...samples.keys(),
    ]);
    return order
      .slice(0, Math.floor(SEM_PCYC_SHARE * unseen))
      .sort((a, b) => a - b)
      .map((index) => samples[index]);
  };
  return {
    name: `${name}, generalised as SEM-PCYC (seed ${seed})`,
    queries: [...drawn('sketch', queries.length), ...queries],
    gallery: [...drawn('photo', gallery.length), ...gallery],
    classNames: [...unseenClasses, ...seenClasses],
  };
}

/**
 * Figures of a model that was trained on some of the classes that it is to be measured on would show what it
 * remembers.
 * @param trained the model's seen classes; spellings do not matter
 * @param model for the error
 * @throws DatasetError where classes were trained on
 */
export function requireUnseen(unseen: readonly string[], trained: readonly string[], model: string): void {
  const shared = sharedClasses(unseen, trained);
  if (shared.length === 0) return;
  const shown = shared.slice(0, 8).join(', ') + (shared.length > 8 ? ` and ${shared.length - 8} more` : '');
  throw new DatasetError(
    `${model} was trained on ${shown}: measured on ${shared.length === 1 ? 'it' : 'them'}, it would show what it remembers and not what it generalises to. Give other unseen classes (--split or --unseen)`,
  );
}

/** The tasks that a model can be measured by. */
export const TASKS = ['zero-shot', 'photo-to-photo', 'generalised', 'generalised-sem-pcyc'] as const;
export type TaskKind = (typeof TASKS)[number];

/**
 * The task of a kind on a data set.
 * @param seed of what is drawn, where the task draws something
 */
export function taskOf(kind: TaskKind, dataset: Dataset, seed: number): RetrievalTask {
  if (kind === 'photo-to-photo') return photoTask(dataset);
  if (kind === 'generalised') return generalisedTask(dataset);
  return kind === 'generalised-sem-pcyc' ? semPcycTask(dataset, seed) : unseenTask(dataset);
}

/**
 * The task by which the best checkpoint is chosen: held-out sketches of seen classes search the photos that are trained
 * on.
 */
export function validationTask({ name, validation, train, seenClasses }: Dataset): RetrievalTask {
  return {
    name: `${name}, held-out sketches`,
    queries: validation,
    gallery: train.filter(({ domain }) => domain === 'photo'),
    classNames: seenClasses,
  };
}

export interface EvaluationOptions extends Protocol {
  /** What computes the cosines of large tasks; where it is left out, the host does, which takes minutes for them. */
  readonly on?: Pick<DeviceStorage, 'device' | 'selector'>;
  /** Hears of images embedded, of queries and gallery together. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Embeds the images of a task.
 * @param embeddings of a model, see `modelEmbeddings`
 * @throws DatasetError where there is nothing to search with or in
 */
export async function embedTask(
  embeddings: ImageRows,
  task: RetrievalTask,
  images: Dataset['images'],
  onProgress?: EvaluationOptions['onProgress'],
): Promise<EmbeddedTask> {
  const { name } = task;
  if (task.queries.length === 0 || task.gallery.length === 0) {
    throw new DatasetError(
      `${name}: there are ${task.queries.length} images to search with and ${task.gallery.length} photos to search in; both are needed. Leave some classes unseen`,
    );
  }
  const amongThemselves = task.queries === task.gallery;
  const total = task.queries.length + (amongThemselves ? 0 : task.gallery.length);
  const queries = await embeddings.compute(task.queries, images, (done) => onProgress?.(done, total));
  const gallery = amongThemselves
    ? queries
    : await embeddings.compute(task.gallery, images, (done) => onProgress?.(task.queries.length + done, total));
  return { queries, gallery, labels: labelsOf(task) };
}

/**
 * Embeds the task's images and measures the search.
 * @param embeddings of a model, see `modelEmbeddings`
 * @throws DatasetError where there is nothing to search with or in
 */
export async function evaluateNetwork(
  embeddings: ImageRows,
  task: RetrievalTask,
  images: Dataset['images'],
  { cutoffs = CUTOFFS, apDenominator, apEnvelope, on, onProgress }: EvaluationOptions = {},
): Promise<Evaluation> {
  const { queries, gallery, labels } = await embedTask(embeddings, task, images, onProgress);
  const options = { queries, gallery, dimension: embeddings.width, ...labels, cutoffs, apDenominator, apEnvelope };
  const small = labels.queryLabels.length * labels.galleryLabels.length * embeddings.width <= HOST_PRODUCTS;
  const metrics =
    on === undefined || small
      ? evaluateRetrieval(options)
      : await evaluateRetrievalOnDevice(on.device, options, { selector: on.selector });
  return { metrics, queries, gallery, labels };
}

/** The labels of a task's images; a class that is not among its names has a label of its own. */
export function labelsOf({ queries, gallery, classNames }: RetrievalTask): Labels {
  const labelOf = new Map(classNames.map((className, label) => [className, label]));
  const labels = (samples: readonly Sample[]): Uint32Array =>
    Uint32Array.from(samples, ({ className }) => labelOf.get(className) ?? classNames.length);
  return {
    queryLabels: labels(queries),
    galleryLabels: labels(gallery),
    ...(queries === gallery && { excluded: Uint32Array.from(gallery.keys()) }),
  };
}

/** P@k or mAP@k out of metrics that have that cutoff. */
export function atCutoff(metrics: Pick<RetrievalMetrics, 'atCutoff'>, kind: 'map' | 'precision', k: number): number {
  return metrics.atCutoff.find((cutoff) => cutoff.k === k)?.[kind] ?? NaN;
}
