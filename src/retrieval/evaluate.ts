import type { Device } from '../gpu/device.ts';
import { hammingRows } from './binary-codes.ts';
import { cosineRows, type Embeddings } from './cosine.ts';
import { deviceCosineRows, type DeviceCosineOptions } from './device-cosine.ts';
import { RetrievalMeter, type Labels, type Protocol, type RetrievalMetrics } from './metrics.ts';
import { bestItems, type RankedItem, type RowMask } from './ranking.ts';
import { requireCount, requireLabels, RetrievalError } from './vectors.ts';

/** Embeddings, labels and protocol of an evaluation by cosine. */
export type RetrievalOptions = Embeddings & Labels & Protocol;

/**
 * From embeddings and labels to metrics: ranks the whole gallery for every query by cosine, on the host.
 * @throws RetrievalError where sizes disagree, a value is not finite, or no query can be evaluated
 */
export function evaluateRetrieval(options: RetrievalOptions): RetrievalMetrics {
  checkSizes(options);
  const meter = new RetrievalMeter(options, options);
  for (const scores of cosineRows(options)) meter.add(scores);
  return meter.metrics();
}

/**
 * The same with the cosines computed on a device. Only blocks of scores are alive: the matrix of all would take 20 GB
 * for QuickDraw. Beside the embeddings a few blocks are needed, whatever the number of queries (docs/evaluation.md has
 * figures).
 * @throws RetrievalError as evaluateRetrieval
 */
export async function evaluateRetrievalOnDevice(
  device: Device,
  options: RetrievalOptions,
  settings?: DeviceCosineOptions,
): Promise<RetrievalMetrics> {
  checkSizes(options);
  const meter = new RetrievalMeter(options, options);
  for await (const scores of deviceCosineRows(device, options, settings)) meter.add(scores);
  return meter.metrics();
}

/** Codes, labels and protocol of an evaluation by Hamming distance. */
export type CodeRetrievalOptions = Labels &
  Protocol & {
    /** Codes of the queries, [queries, words], and of the gallery, [n, words]. */
    readonly queries: Uint32Array;
    readonly gallery: Uint32Array;
    /** 32-bit words of a code: `codeWords`. */
    readonly words: number;
  };

/**
 * The metrics of binary codes, ranked by Hamming distance, equal ones by their place in the gallery.
 * @throws RetrievalError where sizes disagree, or no query can be evaluated
 */
export function evaluateCodes(options: CodeRetrievalOptions): RetrievalMetrics {
  const { queries, gallery, words, queryLabels, galleryLabels } = options;
  requireLabels('query', queryLabels, queries.length / words);
  requireLabels('gallery', galleryLabels, gallery.length / words);
  const meter = new RetrievalMeter(options, options);
  for (const distances of hammingRows(queries, gallery, words)) meter.addDistances(distances);
  return meter.metrics();
}

/**
 * The k items of the gallery nearest to a query, best first.
 * @param query [dimension]
 * @param gallery [n, dimension]
 * @param mask of the items that may be found, [n]; omitted, all may
 * @throws RetrievalError where sizes disagree or a value is not finite
 */
export function rankGallery(
  query: Float32Array,
  gallery: Float32Array,
  dimension: number,
  k: number,
  mask?: RowMask,
): RankedItem[] {
  requireCount('k', k);
  if (query.length !== dimension)
    throw new RetrievalError(`one query of ${dimension} values is needed, there are ${query.length}`);
  const [scores] = cosineRows({ queries: query, gallery, dimension });
  return bestItems(scores, k, mask);
}

/**
 * The k codes of the gallery nearest to a query's, best first; the score is minus the Hamming distance.
 * @param query [words]
 * @param gallery [n, words]
 * @param mask of the codes that may be found, [n]; omitted, all may
 * @throws RetrievalError where sizes disagree
 */
export function rankCodes(query: Uint32Array, gallery: Uint32Array, k: number, mask?: RowMask): RankedItem[] {
  requireCount('k', k);
  const [distances] = hammingRows(query, gallery, query.length);
  return bestItems(
    Float32Array.from(distances, (distance) => 0 - distance),
    k,
    mask,
  );
}

function checkSizes({ queries, gallery, dimension, queryLabels, galleryLabels }: RetrievalOptions): void {
  requireCount('the dimension', dimension);
  // What is no multiple of the dimension is refused where the rows are read.
  requireLabels('query', queryLabels, Math.floor(queries.length / dimension));
  requireLabels('gallery', galleryLabels, Math.floor(gallery.length / dimension));
}
