import type { Plan } from '../autodiff/plan.ts';
import { work } from '../autodiff/schedule-model.ts';
import type { TrainingBatch } from '../data/loader.ts';
import { cachedUpdate } from '../nn/training-micro-batches.ts';
import type { EncodedObjective } from './objective.ts';
import {
  averaged,
  compileInSharedArena,
  heeded,
  lossScalingOf,
  outputsOf,
  updateOutputs,
  type StepOptions,
  type StepRunner,
} from './step-programs.ts';

/**
 * Gradient caching, for a loss over the whole batch: every micro-batch passes through the network once to be kept, and
 * once more, after the loss, to pass its share of the gradient on. See `cachedUpdate`.
 */
export async function encodedMicroBatches(options: StepOptions, parts: number): Promise<StepRunner> {
  const { objective, optimizer, memoryBudget } = options;
  const { encode, loss: lossOf } = objective.encoded as EncodedObjective;
  const part = encode(objective.count / parts);
  const update = cachedUpdate(objective.network, part, lossOf, optimizer, parts, lossScalingOf(options));
  const end = averaged(update.end, options);
  const { feeds: lossFeeds } = update.lossOfBatch;
  const {
    main: propagate,
    others: { first, keep, loss, last },
    memory,
    destroy,
  } = await compileInSharedArena(
    options,
    { outputs: {}, updates: update.part },
    {
      first: { outputs: {}, updates: update.begin },
      keep: { outputs: {}, updates: update.encode },
      loss: { outputs: outputsOf(update.lossOfBatch), updates: update.loss },
      last: { outputs: updateOutputs(end), updates: end.updates },
    },
  );
  const feeds = (batch: TrainingBatch) =>
    interleaved(batch, parts).map(({ piece, rows }) => ({ ...part.feeds(piece), rows }));
  const { recomputed } = propagate.plan;
  return {
    update: end,
    report: {
      memory,
      budget: memoryBudget,
      recomputed,
      microBatches: parts,
      normalizedApart: part.batchStatistics.size > 0,
      encodedTwice: (workOf(keep.plan) / workOf(propagate.plan)) * (1 + (recomputed?.share ?? 0)),
    },
    async submit(batch, ofUpdate) {
      const pieces = feeds(batch);
      await first.submit({});
      for (const piece of pieces) await keep.submit(piece);
      const { results: values } = await loss.submit(lossFeeds(batch));
      for (const piece of pieces) await propagate.submit(piece);
      const { results: updated } = await last.submit(ofUpdate);
      return { results: heeded(Promise.all([values, updated]).then(([one, other]) => ({ ...one, ...other }))) };
    },
    async findNonFinite(batch) {
      // What is kept and derived on the way is needed further on; weights change in `last` alone.
      const pieces = feeds(batch);
      await first.submit({});
      for (const piece of pieces) {
        const found = await keep.findNonFinite(piece);
        if (found !== null) return found;
        await keep.submit(piece);
      }
      const found = await loss.findNonFinite(lossFeeds(batch));
      if (found !== null) return found;
      await loss.submit(lossFeeds(batch));
      for (const piece of pieces) {
        const later = await propagate.findNonFinite(piece);
        if (later !== null) return later;
      }
      return null;
    },
    async profile(batch, ofUpdate) {
      const pieces = feeds(batch);
      const spans = [...(await first.profile({}))];
      for (const piece of pieces) spans.push(...(await keep.profile(piece)));
      spans.push(...(await loss.profile(lossFeeds(batch))));
      for (const piece of pieces) spans.push(...(await propagate.profile(piece)));
      return [...spans, ...(await last.profile(ofUpdate))];
    },
    destroy,
  };
}

const workOf = ({ calls }: Plan): number => calls.reduce((sum, { cost }) => sum + work(cost), 0);

/**
 * A batch in equal pieces of every so manyth image each, and which images they are. A balanced batch is sorted by
 * domain and class, and each piece has its share of both, so that batch normalization sees in it what it would see in
 * the batch.
 */
export function interleaved(
  batch: TrainingBatch,
  parts: number,
): { readonly piece: TrainingBatch; readonly rows: Uint32Array }[] {
  const { step, images, transforms, domains, labels } = batch;
  const count = labels.length;
  return Array.from({ length: parts }, (_, part) => {
    const rows = Uint32Array.from({ length: count / parts }, (__, index) => index * parts + part);
    const gather = <T extends Uint8Array | Uint32Array | Float32Array>(values: T): T => {
      const each = values.length / count;
      const gathered = new (values.constructor as new (length: number) => T)(each * rows.length);
      rows.forEach((row, index) => gathered.set(values.subarray(row * each, (row + 1) * each), index * each));
      return gathered;
    };
    return {
      rows,
      piece: {
        step,
        images: gather(images),
        transforms: gather(transforms),
        domains: gather(domains),
        labels: gather(labels),
      },
    };
  });
}
