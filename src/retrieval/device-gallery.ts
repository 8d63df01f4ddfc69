/**
 * The nearest rows of a gallery that stays in device memory: the kernel `top_k` selects them while it multiplies, so that
 * no matrix of scores is stored, and k scores a query come back.
 */

import { DeviceStorage } from '../autodiff/device-storage.ts';
import { topK } from '../autodiff/ops/top-k.ts';
import { Program } from '../autodiff/program.ts';
import { input, ParameterStore } from '../autodiff/tensor.ts';
import type { VariantSelector } from '../autodiff/variant-selector.ts';
import type { Device } from '../gpu/device.ts';
import { requireCount, RetrievalError, rowNorms } from './vectors.ts';

/** Queries of a block. */
const QUERY_BLOCK = 256;
/** Values that are normalised and written at once: 16 MiB. */
const WRITTEN_VALUES = 2 ** 22;

/** How a gallery on a device is searched. */
export interface DeviceGalleryOptions {
  /** Items that are found for each query, up to 64. Default 10. */
  readonly k?: number;
  /** Queries that are computed together; the last block is filled up with zeros. Default 256. */
  readonly queryBlock?: number;
  /** Of the variants of kernels. */
  readonly selector?: VariantSelector;
}

/** The k nearest items of some queries, best first. */
export interface NearestItems {
  /** Cosines, [queries, k]; -Infinity where the gallery has fewer items. */
  readonly scores: Float32Array;
  /** Places in the gallery, [queries, k]; 0xffffffff where there is no item. */
  readonly indices: Uint32Array;
}

/** A gallery in device memory. */
export class DeviceGallery {
  private constructor(
    /** Items. */
    readonly count: number,
    readonly dimension: number,
    readonly k: number,
    private readonly queryBlock: number,
    private readonly storage: DeviceStorage,
    private readonly program: Program<'scores' | 'indices'>,
  ) {}

  /**
   * Copies a gallery to a device, each row scaled to length 1.
   * @param gallery [n, dimension], at least one row
   * @throws RetrievalError where a value is not finite, or the values do not make whole rows; ShapeError for a k above 64;
   * LimitError where the device has no buffer of that size
   */
  static async open(
    device: Device,
    gallery: Float32Array,
    dimension: number,
    { k = 10, queryBlock = QUERY_BLOCK, selector }: DeviceGalleryOptions = {},
  ): Promise<DeviceGallery> {
    requireCount('k', k);
    requireCount('the number of queries of a block', queryBlock);
    const norms = rowNorms('gallery', gallery, dimension);
    if (norms.length === 0) throw new RetrievalError('the gallery has no rows');
    const rowsAtOnce = Math.max(1, Math.floor(WRITTEN_VALUES / dimension));
    const store = new ParameterStore('gallery');
    const rows = store.add('rows', [norms.length, dimension]);
    const storage = new DeviceStorage(device, selector);
    try {
      const program = await Program.compile(storage, {
        outputs: topK(input('queries', [queryBlock, dimension]), rows, k),
      });
      const buffer = storage.buffer(store);
      for (let first = 0; first < norms.length; first += rowsAtOnce) {
        const count = Math.min(rowsAtOnce, norms.length - first);
        const values = unitRows(gallery, norms, dimension, first, count, count);
        device.noted(() => device.gpu.queue.writeBuffer(buffer, 4 * first * dimension, values));
      }
      return new DeviceGallery(norms.length, dimension, k, queryBlock, storage, program);
    } catch (error) {
      storage.destroy();
      throw error;
    }
  }

  /**
   * The k nearest items of each query by cosine in float32, best first; equal cosines are in the order of the gallery,
   * and equal items have equal cosines. A row of length 0 has cosine 0 with all others.
   * @param queries [queries, dimension]; need not have length 1
   * @throws RetrievalError where sizes disagree or a value is not finite
   */
  async search(queries: Float32Array): Promise<NearestItems> {
    const { dimension, k, queryBlock } = this;
    const norms = rowNorms('query', queries, dimension);
    const scores = new Float32Array(norms.length * k);
    const indices = new Uint32Array(norms.length * k);
    const take = async (first: number, results: Promise<Readonly<Record<'scores' | 'indices', Float32Array>>>) => {
      const found = await results;
      const length = Math.min(queryBlock, norms.length - first) * k;
      scores.set(found.scores.subarray(0, length), first * k);
      indices.set(new Uint32Array(found.indices.buffer, found.indices.byteOffset, length), first * k);
    };
    // The next block is prepared while the device computes the last.
    let last: Promise<void> | undefined;
    for (let first = 0; first < norms.length; first += queryBlock) {
      const count = Math.min(queryBlock, norms.length - first);
      const { results } = await this.program.submit({
        queries: unitRows(queries, norms, dimension, first, count, queryBlock),
      });
      const taken = take(first, results);
      // What goes wrong is thrown where it is awaited.
      taken.catch(() => undefined);
      await last;
      last = taken;
    }
    await last;
    return { scores, indices };
  }

  /** Gives its memory back. */
  destroy(): void {
    this.program.destroy();
    this.storage.destroy();
  }
}

/** Rows of length 1, [rows, dimension]; the first `count` are there, and the others zero. */
export function unitRows(
  values: Float32Array,
  norms: Float64Array,
  dimension: number,
  first: number,
  count: number,
  rows: number,
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(rows * dimension);
  for (let row = 0; row < count; row++) {
    const from = (first + row) * dimension;
    const norm = norms[first + row] || 1;
    for (let i = 0; i < dimension; i++) result[row * dimension + i] = values[from + i] / norm;
  }
  return result;
}
