// A thread of `openExactSearch`: searches its own rows of the gallery.
import { workerData } from 'node:worker_threads';
import type { ExactSearchOptions } from '../../retrieval/exact/exact-search.ts';
import { GrowingSearch, type GrowingMask } from '../../retrieval/exact/growing-search.ts';
import { serveTasks } from './serve-tasks.ts';

/** Its rows, in shared memory. */
export interface ExactSearchThreadData extends ExactSearchOptions {
  /** The whole gallery: a view that begins behind 2 GiB does not reach a thread in Node 20. */
  readonly memory: SharedArrayBuffer;
  /** Where its rows begin, in bytes. */
  readonly offset: number;
  /** Values of its rows. */
  readonly length: number;
  readonly dimension: number;
  /** Whether the memory holds bits of f16. */
  readonly isHalf: boolean;
  /** Rows of the whole gallery. */
  readonly whole: number;
}

export interface ExactSearchTask {
  readonly queries: Float32Array;
  readonly k: number;
  readonly mask: GrowingMask;
}

export interface AddTask {
  readonly rows: Float32Array;
  readonly first: number;
}

const { memory, offset, length, dimension, whole, isHalf, ...options } = takeData();
const rows = isHalf ? new Uint16Array(memory, offset, length) : new Float32Array(memory, offset, length);
const search = new GrowingSearch(rows, dimension, whole, options);

/** Takes the memory out of the thread's data, which would keep it alive. */
function takeData(): ExactSearchThreadData {
  const data = { ...(workerData as ExactSearchThreadData) };
  delete (workerData as { memory?: SharedArrayBuffer }).memory;
  return data;
}

serveTasks({
  ready: () => ({ output: undefined, transfer: [] }),
  search: ({ queries, k, mask }: ExactSearchTask) => ({
    output: search.searchAll(queries, k, mask),
    transfer: [],
  }),
  add: ({ rows, first }: AddTask) => ({ output: search.add(rows, first), transfer: [] }),
});
