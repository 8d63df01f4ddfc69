import { availableParallelism } from 'node:os';
import { storedNorms } from '../../retrieval/exact/stored-vectors.ts';
import { DividedSearch, divideRows, maskOfRows } from '../../retrieval/exact/divided-search.ts';
import type { RankedItem } from '../../retrieval/ranking.ts';
import { requireCount } from '../../retrieval/vectors.ts';
import type { AddTask, ExactSearchTask, ExactSearchThreadData } from './exact-search-thread.ts';
import { sharedCopy } from './shared-memory.ts';
import { WorkerThreads } from './worker-threads.ts';
import { threadModule } from './thread-module.ts';

/** How `openExactSearch` is set up. */
export interface ExactSearchThreadsOptions {
  /** Default: as many as the machine runs at once. */
  readonly threads?: number;
  /** Whether WebAssembly's vectors are used where the runtime has them. Default true. */
  readonly simd?: boolean;
  /** Whether cosines are computed from the vectors; see `ExactSearchOptions`. Default true. */
  readonly rescore?: boolean;
}

/**
 * `ExactSearch` in threads, each of which searches its share of the rows, so that the event loop stays free. Answers
 * have the same bits for every number of threads.
 * @param gallery [n, dimension], f32 or the bits of f16; copied into shared memory unless it is there already, and then it must not change
 * @throws RetrievalError where a value is not finite, or the values do not make whole rows
 */
export async function openExactSearch(
  gallery: Float32Array | Uint16Array,
  dimension: number,
  { threads = availableParallelism(), simd, rescore }: ExactSearchThreadsOptions = {},
): Promise<DividedSearch> {
  requireCount('the number of threads', threads);
  // An error of a thread would name a row of its share, and not be of its class.
  const { length: count } = storedNorms(gallery, dimension);
  const shared = sharedCopy(gallery);
  const parts = divideRows(count, threads).map((range) => {
    const { first, count: rows } = range;
    const data: ExactSearchThreadData = {
      memory: shared.buffer as unknown as SharedArrayBuffer,
      offset: shared.byteOffset + shared.BYTES_PER_ELEMENT * first * dimension,
      length: rows * dimension,
      dimension,
      first,
      whole: count,
      simd,
      isHalf: shared instanceof Uint16Array,
      rescore,
    };
    return { range, pool: new WorkerThreads(threadModule(import.meta.url, 'exact-search-thread'), data, 1) };
  });
  const search = new DividedSearch(
    parts.map(({ range, pool }) => ({
      search: (queries, k, mask) =>
        pool.run<RankedItem[][]>('search', {
          queries: queries.slice(),
          k,
          mask: { own: maskOfRows(mask, range), added: mask?.slice(count) },
        } satisfies ExactSearchTask),
      add: (rows, first) =>
        pool.run('add', { rows, first } satisfies AddTask, { transfer: [rows.buffer as ArrayBuffer] }),
      close: () => pool.close(),
    })),
    count,
    dimension,
  );
  // Threads start with their first task, and then make their copies of the rows.
  try {
    await Promise.all(parts.map(({ pool }) => pool.run('ready', undefined)));
  } catch (error) {
    await search.close();
    throw error;
  }
  return search;
}
