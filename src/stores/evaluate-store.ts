import { sha256 } from '../formats/sha256.ts';
import { hex } from '../formats/sealed.ts';
import type { RetrievalOptions } from '../retrieval/evaluate.ts';
import { evaluateTop, type TopMetrics } from '../retrieval/top-metrics.ts';
import { StoreError, type StoredPicture, type VectorStore } from './store.ts';

/** Items of one call of `add`. */
const ADDED = 4096;

/** The path of an item; the order of paths is that of the items, so that equal scores keep it. */
const pathOf = (item: number): string => `evaluated/${String(item).padStart(10, '0')}`;
const itemOf = (path: string): number => (/^evaluated\/\d{10}$/.test(path) ? Number(path.slice(-10)) : NaN);

/**
 * mAP@k, P@k and hit@k of the search of a vector store. What the store lacks of the gallery is added.
 * @param store that is empty, or has the gallery of an earlier evaluation; it stays filled
 * @throws StoreError where the store has other pictures; RetrievalError as `evaluateTop`
 */
export async function evaluateStore(store: VectorStore, options: RetrievalOptions): Promise<TopMetrics> {
  const { gallery, dimension } = options;
  const count = gallery.length / dimension;
  for await (const paths of store.paths())
    for (const path of paths)
      if (!(itemOf(path) < count))
        throw new StoreError(
          `the store has ${path}, which is not of this gallery; evaluate fills a store of its own: give another folder or collection`,
        );
  for (let first = 0; first < count; first += ADDED) {
    const pictures = Array.from({ length: Math.min(ADDED, count - first) }, (_, place): StoredPicture => {
      const item = first + place;
      const vector = gallery.slice(item * dimension, (item + 1) * dimension);
      const digest = hex(sha256(new Uint8Array(vector.buffer)));
      return { path: pathOf(item), size: 0, time: 0, digest, vector };
    });
    const known = await store.digests(pictures.map(({ path }) => path));
    await store.add(pictures.filter(({ path, digest }) => known.get(path) !== digest));
  }
  await store.flush();
  return evaluateTop(options, async (queries, k) => {
    const ranked: number[][] = [];
    for (let start = 0; start < queries.length; start += dimension) {
      const hits = await store.search(queries.subarray(start, start + dimension), k);
      ranked.push(hits.map(({ path }) => itemOf(path)));
    }
    return ranked;
  });
}
