/** The metrics that the first ranks decide, without a ranking of the whole gallery. */
import type { DeviceStorage } from '../../autodiff/device-storage.ts';
import { openExactSearch } from '../../platform/node/exact-search.ts';
import type { RetrievalOptions } from '../../retrieval/evaluate.ts';
import { evaluateTop, evaluateTopOnDevice, type TopMetrics } from '../../retrieval/top-metrics.ts';
import { evaluateStore } from '../../stores/evaluate-store.ts';
import { openStore } from '../../stores/open-store.ts';
import { textTable } from '../display/text-table.ts';

/** Items that a device selects for each query. */
const MOST_ON_DEVICE = 64;

/**
 * Searches on a GPU, if it selects as many items as the largest cutoff needs, and otherwise in threads. An adapter that
 * is a processor would use the same cores as the threads, which multiply one-byte copies of the rows.
 * @param store that is measured in place of an exact search
 */
export async function firstRanks(
  { device, selector }: Pick<DeviceStorage, 'device' | 'selector'>,
  options: RetrievalOptions,
  store?: { readonly address: string; readonly modelChecksum: string },
): Promise<TopMetrics> {
  const { gallery, dimension, cutoffs = [], excluded } = options;
  if (store !== undefined) {
    const opened = await openStore(store.address, { modelChecksum: store.modelChecksum, dimension });
    try {
      return await evaluateStore(opened, options);
    } finally {
      await opened.close();
    }
  }
  const needed = Math.max(...cutoffs) + Number(excluded !== undefined);
  if (needed <= MOST_ON_DEVICE && device.traits.kind === 'gpu')
    return evaluateTopOnDevice(device, options, { selector });
  const search = await openExactSearch(gallery, dimension);
  try {
    return await evaluateTop(options, async (queries, k) =>
      (await search.searchAll(queries, k)).map((ranked) => ranked.map(({ index }) => index)),
    );
  } finally {
    await search.close();
  }
}

/** The metrics as a table. */
export function topText({ atCutoff, queries, skippedQueries, gallerySize, protocol }: TopMetrics): string {
  const head = ['', 'queries', ...['mAP', 'P', 'hit'].flatMap((name) => atCutoff.map(({ k }) => `${name}@${k}`))];
  const figures = (['map', 'precision', 'hit'] as const).flatMap((kind) => atCutoff.map((one) => one[kind].toFixed(4)));
  const skipped =
    skippedQueries === 0 ? 'none was skipped' : `${skippedQueries} were skipped, as no photo is of their class`;
  return `${textTable(head, [['all queries', String(queries), ...figures]])}\n${queries} queries against ${gallerySize} photos, the first ranks only; ${skipped}. Protocol: ${protocol}.`;
}
