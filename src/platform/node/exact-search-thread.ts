// A thread of `openExactSearch`: searches its own rows of the gallery.
import { workerData } from 'node:worker_threads';
import { ExactSearch, type ExactSearchOptions } from '../../retrieval/exact/exact-search.ts';
import { acceptsByMask } from '../../retrieval/exact/divided-search.ts';
import type { RowMask } from '../../retrieval/ranking.ts';
import { serveTasks } from './serve-tasks.ts';

/** Its rows, in shared memory. */
export interface ExactSearchThreadData extends ExactSearchOptions {
  /** Of the whole gallery: a view that begins behind 2 GiB does not reach a thread in Node 20. */
  readonly memory: SharedArrayBuffer;
  /** Where its rows begin, in bytes. */
  readonly offset: number;
  /** Values of its rows. */
  readonly length: number;
  readonly dimension: number;
}

export interface ExactSearchTask {
  readonly queries: Float32Array;
  readonly k: number;
  /** Of its rows; omitted, all may be found. */
  readonly mask?: RowMask;
}

const { memory, offset, length, dimension, ...options } = workerData as ExactSearchThreadData;
const search = new ExactSearch(new Float32Array(memory, offset, length), dimension, options);

serveTasks({
  ready: () => ({ output: undefined, transfer: [] }),
  search: ({ queries, k, mask }: ExactSearchTask) => ({
    output: search.searchAll(queries, k, acceptsByMask(mask, options.first ?? 0)),
    transfer: [],
  }),
});
