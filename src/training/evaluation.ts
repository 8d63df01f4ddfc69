import { DatasetError, type Dataset, type Sample } from '../data/dataset.ts';
import { evaluateRetrieval } from '../retrieval/evaluate.ts';
import type { ApDenominator, RetrievalMetrics } from '../retrieval/metrics.ts';
import type { ImageRows } from './model.ts';

/** The values of k for mAP@k and P@k that are always reported. */
export const CUTOFFS: readonly number[] = [1, 10, 100, 200];

/** Which sketches search which photos. */
export interface RetrievalTask {
  readonly name: string;
  readonly queries: readonly Sample[];
  readonly gallery: readonly Sample[];
  /** Labels in the metrics are indices into these. */
  readonly classNames: readonly string[];
}

/** The metrics, and what they were computed from. */
export interface Evaluation {
  readonly metrics: RetrievalMetrics;
  /** [queries, dimension] and [gallery, dimension]. */
  readonly queries: Float32Array;
  readonly gallery: Float32Array;
}

/** The zero-shot task (method.md, Evaluation): sketches of unseen classes search photos of unseen classes. */
export function unseenTask({ name, queries, gallery, unseenClasses }: Dataset): RetrievalTask {
  return { name: `${name}, unseen classes`, queries, gallery, classNames: unseenClasses };
}

/** The task by which the best checkpoint is chosen: held-out sketches of seen classes search the photos that are trained on. */
export function validationTask({ name, validation, train, seenClasses }: Dataset): RetrievalTask {
  return { name: `${name}, held-out sketches`, queries: validation, gallery: train.filter(({ domain }) => domain === 'photo'), classNames: seenClasses };
}

/**
 * Embeds the task's images and measures the search.
 * @param embeddings of a model, see `modelEmbeddings`
 * @param onProgress hears of images done, of queries and gallery together
 * @throws DatasetError where there is nothing to search with or in
 */
export async function evaluateNetwork(
  embeddings: ImageRows,
  task: RetrievalTask,
  images: Dataset['images'],
  { cutoffs = CUTOFFS, apDenominator = 'protocol', onProgress }: { cutoffs?: readonly number[]; apDenominator?: ApDenominator; onProgress?: (done: number, total: number) => void } = {},
): Promise<Evaluation> {
  const { name, classNames } = task;
  if (task.queries.length === 0 || task.gallery.length === 0) {
    throw new DatasetError(`${name}: there are ${task.queries.length} sketches to search with and ${task.gallery.length} photos to search in; both are needed. Leave some classes unseen`);
  }
  const total = task.queries.length + task.gallery.length;
  const labelOf = new Map(classNames.map((className, label) => [className, label]));
  const labels = (samples: readonly Sample[]): Uint32Array => Uint32Array.from(samples, ({ className }) => labelOf.get(className) ?? classNames.length);
  const queries = await embeddings.compute(task.queries, images, (done) => onProgress?.(done, total));
  const gallery = await embeddings.compute(task.gallery, images, (done) => onProgress?.(task.queries.length + done, total));
  const metrics = evaluateRetrieval({
    queries,
    gallery,
    queryLabels: labels(task.queries),
    galleryLabels: labels(task.gallery),
    dimension: embeddings.width,
    cutoffs,
    apDenominator,
  });
  return { metrics, queries, gallery };
}

/** P@k or mAP@k out of metrics that have that cutoff. */
export function atCutoff(metrics: Pick<RetrievalMetrics, 'atCutoff'>, kind: 'map' | 'precision', k: number): number {
  return metrics.atCutoff.find((cutoff) => cutoff.k === k)?.[kind] ?? NaN;
}
