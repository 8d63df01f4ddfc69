/** What `npm run bench:search` times, each behind the same function. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Device } from '../../src/gpu/device.ts';
import { openExactSearch, type ExactSearchThreadsOptions } from '../../src/platform/node/exact-search.ts';
import { DeviceGallery } from '../../src/retrieval/device-gallery.ts';

/** Queries of a block on the device. */
const QUERY_BLOCK = 32;

export interface Searcher {
  readonly name: string;
  /**
   * @param queries [count, dimension], the first rows of those that the searcher was made with
   * @returns the time, and the items found for the first query
   */
  search(
    queries: Float32Array,
    count: number,
    k: number,
  ): Promise<{ readonly milliseconds: number; readonly items: Iterable<number> }>;
  close(): Promise<void> | void;
}

async function timed<Result>(
  work: () => Promise<Result>,
): Promise<{ readonly milliseconds: number; readonly result: Result }> {
  const start = performance.now();
  const result = await work();
  return { milliseconds: performance.now() - start, result };
}

export async function exactSearcher(
  name: string,
  gallery: Float32Array,
  dimension: number,
  options: ExactSearchThreadsOptions,
): Promise<Searcher> {
  const search = await openExactSearch(gallery, dimension, options);
  return {
    name,
    async search(queries, _, k) {
      const { milliseconds, result } = await timed(() => search.searchAll(queries, k));
      return { milliseconds, items: result[0].map(({ index }) => index) };
    },
    close: () => search.close(),
  };
}

export async function deviceSearcher(
  name: string,
  device: Device,
  gallery: Float32Array,
  dimension: number,
  k: number,
): Promise<Searcher> {
  const held = await DeviceGallery.open(device, gallery, dimension, { k, queryBlock: QUERY_BLOCK });
  return {
    name,
    async search(queries) {
      const { milliseconds, result } = await timed(() => held.search(queries));
      return { milliseconds, items: result.indices.subarray(0, k) };
    },
    close: () => held.destroy(),
  };
}

/** faiss in a process of its own, with two threads; undefined where it is not installed. */
export async function faissSearcher(
  gallery: string,
  queries: string,
  dimension: number,
  k: number,
): Promise<Searcher | undefined> {
  const script = fileURLToPath(new URL('../peers/faiss_flat.py', import.meta.url));
  const python = spawn(process.env.PYTHON ?? '/usr/bin/python3', [script, gallery, queries, `${dimension}`, `${k}`], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = new Promise<undefined>((resolve) =>
    python.on('error', () => resolve(undefined)).on('close', () => resolve(undefined)),
  );
  const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string | undefined> => {
    const line = await Promise.race([lines.next(), ended]);
    return line === undefined || line.done === true ? undefined : line.value;
  };
  const ready = await nextLine();
  if (ready === undefined) return undefined;
  return {
    name: `faiss ${ready.split(' ')[1]} flat`,
    async search(_, count) {
      python.stdin.write(`${count} 2\n`);
      const line = await nextLine();
      if (line === undefined) throw new Error('faiss ended');
      const [milliseconds, ...items] = line.split(' ').map(Number);
      return { milliseconds, items };
    },
    async close() {
      python.stdin.end();
      await ended;
    },
  };
}
