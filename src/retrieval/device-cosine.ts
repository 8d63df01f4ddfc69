/**
 * Cosines on the device, for the large data sets: rows of length 1, a block of queries times the gallery as a matrix
 * product, the next block under way while the host ranks the last.
 */

import type { VariantSelector } from '../autodiff/variant-selector.ts';
import { linear } from '../autodiff/ops/convolution.ts';
import { Program } from '../autodiff/program.ts';
import { DeviceStorage } from '../autodiff/device-storage.ts';
import { input, ParameterStore, type Tensor } from '../autodiff/tensor.ts';
import type { Device } from '../gpu/device.ts';
import type { Embeddings } from './cosine.ts';
import { unitRows } from './device-gallery.ts';
import { rowNorms } from './vectors.ts';

/**
 * Queries of a block. Always so many, the last block filled up with zeros: then one kernel computes all scores, each in
 * the same order of sums wherever its query is, and no cut of the queries changes a bit.
 */
export const QUERY_BLOCK = 256;
/**
 * Numbers of the part of a gallery that is one weight of a product: 32 MiB, a quarter of what WebGPU lets every adapter
 * bind.
 */
const PART_VALUES = 2 ** 23;
/** Most items of a part, so that a block's scores with it can be bound too. */
const MOST_PART_ITEMS = 2 ** 16;
/** Items of a part are filled up to a multiple of this, so that no kernel treats the last of them in another way. */
const ITEM_MULTIPLE = 64;

/** How cosines are computed on a device. */
export interface DeviceCosineOptions {
  /** Of the variants of kernels. */
  readonly selector?: VariantSelector;
  /** Queries of a block, for tests. */
  readonly queryBlock?: number;
  /** Most values of a part of the gallery, for tests. */
  readonly partValues?: number;
}

/** Some consecutive items of a gallery, as the device has them. */
interface Part {
  readonly first: number;
  readonly items: number;
  /** [dimension, items and filling]. */
  readonly weight: Tensor;
}

/**
 * The cosines of each query with every item in float32, query by query: rows [n] that are valid until the next one is
 * requested. A vector of length 0 has cosine 0 with all others. Equal items have equal scores.
 * @throws RetrievalError where sizes disagree or a value is not finite
 */
export async function* deviceCosineRows(
  device: Device,
  { queries, gallery, dimension }: Embeddings,
  { selector, queryBlock = QUERY_BLOCK, partValues = PART_VALUES }: DeviceCosineOptions = {},
): AsyncGenerator<Float32Array, void, undefined> {
  const queryNorms = rowNorms('query', queries, dimension);
  const norms = rowNorms('gallery', gallery, dimension);
  if (norms.length === 0) return void (yield* Array.from(queryNorms, () => new Float32Array(0)));
  const store = new ParameterStore('gallery');
  const parts = partsOf(norms.length, dimension, partValues).map(({ first, items }): Part => ({
    first,
    items,
    weight: store.add(`items from ${first}`, [dimension, roundUp(items)]),
  }));
  const storage = new DeviceStorage(device, selector);
  const block = input('queries', [queryBlock, dimension]);
  const outputs = Object.fromEntries(parts.map(({ weight }) => [weight.name, linear(block, weight)]));
  let program: Program | undefined;
  try {
    // Before the program is compiled, which prepacks the weights of a frozen program.
    for (const { first, items, weight } of parts)
      storage.write(weight, transposed(gallery, norms, dimension, first, items));
    program = await Program.compile(storage, { outputs, frozen: true });

    const row = new Float32Array(norms.length);
    const pending: { readonly count: number; readonly results: Promise<Readonly<Record<string, Float32Array>>> }[] = [];
    for (let first = 0; first < queryNorms.length || pending.length > 0; first += queryBlock) {
      if (first < queryNorms.length) {
        const count = Math.min(queryBlock, queryNorms.length - first);
        pending.push({
          count,
          results: (
            await program.submit({ queries: unitRows(queries, queryNorms, dimension, first, count, queryBlock) })
          ).results,
        });
        if (pending.length === 1) continue;
      }
      const { count, results } = pending.shift()!;
      const scores = await results;
      for (let i = 0; i < count; i++) {
        for (const { first: place, items, weight } of parts) {
          const width = weight.shape[1];
          row.set(scores[weight.name].subarray(i * width, i * width + items), place);
        }
        yield row;
      }
    }
  } finally {
    program?.destroy();
    storage.destroy();
  }
}

function partsOf(
  items: number,
  dimension: number,
  partValues: number,
): { readonly first: number; readonly items: number }[] {
  const most = Math.min(
    MOST_PART_ITEMS,
    Math.max(ITEM_MULTIPLE, Math.floor(partValues / dimension / ITEM_MULTIPLE) * ITEM_MULTIPLE),
  );
  const parts = [];
  for (let first = 0; first < items; first += most) parts.push({ first, items: Math.min(most, items - first) });
  return parts;
}

const roundUp = (items: number): number => Math.ceil(items / ITEM_MULTIPLE) * ITEM_MULTIPLE;

/** Items of length 1 as the columns of a matrix [dimension, items and filling]. */
function transposed(
  gallery: Float32Array,
  norms: Float64Array,
  dimension: number,
  first: number,
  items: number,
): Float32Array {
  const width = roundUp(items);
  const result = new Float32Array(dimension * width);
  for (let item = 0; item < items; item++) {
    const from = (first + item) * dimension;
    const norm = norms[first + item] || 1;
    for (let i = 0; i < dimension; i++) result[i * width + item] = gallery[from + i] / norm;
  }
  return result;
}
