import { ExactSearch, type ExactSearchOptions } from '../../retrieval/exact/exact-search.ts';
import {
  acceptsByMask,
  DividedSearch,
  divideRows,
  maskOfRows,
  type PartSearcher,
  type RowRange,
} from '../../retrieval/exact/divided-search.ts';
import type { RankedItem, RowMask } from '../../retrieval/ranking.ts';
import { requireCount, rowNorms } from '../../retrieval/vectors.ts';

interface StartMessage extends ExactSearchOptions {
  readonly memory: ArrayBufferLike;
  /** Where the rows begin, in bytes. A view that begins behind 2 GiB would not reach every worker. */
  readonly offset: number;
  /** Values of its rows. */
  readonly length: number;
  readonly dimension: number;
}

interface SearchMessage {
  readonly id: number;
  readonly queries: Float32Array;
  readonly k: number;
  /** Which of its rows may be found; all if omitted. */
  readonly mask?: RowMask;
}

type Answer =
  | { readonly id: number; readonly ranked: readonly (readonly RankedItem[])[] }
  | { readonly id: number; readonly error: string };

/** How `openExactSearch` of a page is set up. */
export interface ExactSearchWorkersOptions {
  /** Makes a worker, whose module calls `serveExactSearch`. */
  readonly worker: () => Worker;
  /** Default: as many as the machine runs at once. */
  readonly threads?: number;
  /** Whether WebAssembly's vectors are used where the runtime has them. Default true. */
  readonly simd?: boolean;
}

/**
 * `ExactSearch` in workers, each of which searches its share of the rows. Answers have the same bits for every number of
 * workers.
 *
 * A gallery in a SharedArrayBuffer, which a page has where it is `crossOriginIsolated`, is shared with the workers and
 * must not change. Any other is copied, a share to each worker, so that this works on every page.
 * @param gallery [n, dimension]
 * @throws RetrievalError where a value is not finite, or the values do not make whole rows
 */
export async function openExactSearch(
  gallery: Float32Array,
  dimension: number,
  { worker, threads = navigator.hardwareConcurrency, simd }: ExactSearchWorkersOptions,
): Promise<DividedSearch> {
  requireCount('the number of threads', threads);
  const { length: count } = rowNorms('gallery', gallery, dimension);
  const isShared = globalThis.crossOriginIsolated && gallery.buffer instanceof SharedArrayBuffer;
  const parts = divideRows(count, threads).map((range) => {
    const { first, count: rows } = range;
    const [start, end] = [first * dimension, (first + rows) * dimension];
    const own = isShared ? gallery.subarray(start, end) : gallery.slice(start, end);
    const { buffer: memory, byteOffset: offset, length } = own;
    const message = { memory, offset, length, dimension, first, simd };
    return new WorkerPart(worker(), range, message, isShared ? [] : [memory as ArrayBuffer]);
  });
  const search = new DividedSearch(parts, count, dimension);
  try {
    // A worker makes its copies of the rows before its first answer.
    await Promise.all(parts.map((part) => part.search(new Float32Array(0), 1)));
  } catch (error) {
    await search.close();
    throw error;
  }
  return search;
}

/** For the module of a worker: answers the searches of `openExactSearch`. */
export function serveExactSearch(): void {
  let search: ExactSearch | undefined;
  let firstRow = 0;
  addEventListener('message', ({ data }: MessageEvent<StartMessage | SearchMessage>) => {
    if ('memory' in data) {
      const { memory, offset, length, dimension, ...options } = data;
      firstRow = options.first ?? 0;
      search = new ExactSearch(new Float32Array(memory, offset, length), dimension, options);
      return;
    }
    const { id, queries, k, mask } = data;
    try {
      if (search === undefined) throw new Error('no rows were sent');
      postMessage({ id, ranked: search.searchAll(queries, k, acceptsByMask(mask, firstRow)) } satisfies Answer);
    } catch (error) {
      postMessage({ id, error: String(error) } satisfies Answer);
    }
  });
}

interface Waiting {
  resolve(ranked: readonly (readonly RankedItem[])[]): void;
  reject(reason: Error): void;
}

class WorkerPart implements PartSearcher {
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;

  constructor(
    private readonly worker: Worker,
    private readonly range: RowRange,
    start: StartMessage,
    transfer: Transferable[],
  ) {
    worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
      const entry = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if ('error' in data) entry?.reject(new Error(data.error));
      else entry?.resolve(data.ranked);
    });
    worker.addEventListener('error', ({ message }) => this.fail(`a worker of the search failed: ${message}`));
    worker.postMessage(start, transfer);
  }

  search(queries: Float32Array, k: number, mask?: RowMask): Promise<readonly (readonly RankedItem[])[]> {
    return new Promise((resolve, reject) => {
      const id = ++this.lastId;
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({
        id,
        queries: queries.slice(),
        k,
        mask: maskOfRows(mask, this.range),
      } satisfies SearchMessage);
    });
  }

  close(): Promise<void> {
    this.worker.terminate();
    this.fail('the search was closed');
    return Promise.resolve();
  }

  private fail(message: string): void {
    for (const { reject } of this.waiting.values()) reject(new Error(message));
    this.waiting.clear();
  }
}
