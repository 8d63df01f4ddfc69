// A thread of `openExactSearch`: searches its own rows of the gallery.
import { workerData } from 'node:worker_threads';
import { ExactSearch, type ExactSearchOptions } from '../../retrieval/exact/exact-search.ts';
import { serveTasks } from './serve-tasks.ts';

/** Its rows, in shared memory. */
export interface ExactSearchThreadData extends ExactSearchOptions {
  readonly rows: Float32Array;
  readonly dimension: number;
}

export interface ExactSearchTask {
  readonly queries: Float32Array;
  readonly k: number;
}

const { rows, dimension, ...options } = workerData as ExactSearchThreadData;
const search = new ExactSearch(rows, dimension, options);

serveTasks({
  ready: () => ({ output: undefined, transfer: [] }),
  search: ({ queries, k }: ExactSearchTask) => ({ output: search.searchAll(queries, k), transfer: [] }),
});
