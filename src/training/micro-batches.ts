import type { TrainingBatch } from '../data/loader.ts';
import { microBatchUpdate } from '../nn/training-micro-batches.ts';
import type { Objective } from './objective.ts';
import {
  averaged,
  compileInSharedArena,
  heeded,
  lossScalingOf,
  outputsOf,
  updateOutputs,
  type StepOptions,
  type StepResults,
  type StepRunner,
} from './step-programs.ts';

/** One small program before the micro-batches of a step, one that each of them passes through, and one after them. */
export async function microBatches(options: StepOptions, parts: number): Promise<StepRunner> {
  const { objective, optimizer, memoryBudget } = options;
  const part = (objective.ofCount as NonNullable<Objective['ofCount']>)(objective.count / parts);
  const {
    begin,
    part: accumulation,
    end: ofParts,
  } = microBatchUpdate(part.network, part.loss, part.batchStatistics, optimizer, parts, lossScalingOf(options));
  const end = averaged(ofParts, options);
  const {
    main: repeated,
    others: { first, last },
    memory,
    destroy,
  } = await compileInSharedArena(
    options,
    { outputs: outputsOf(part), updates: accumulation },
    { first: { outputs: {}, updates: begin }, last: { outputs: updateOutputs(end), updates: end.updates } },
  );
  const feeds = (batch: TrainingBatch) => splitBatch(batch, parts).map((piece) => part.feeds(piece));
  return {
    update: end,
    report: {
      memory,
      budget: memoryBudget,
      recomputed: repeated.plan.recomputed,
      microBatches: parts,
      normalizedApart: part.batchStatistics.size > 0,
    },
    async submit(batch, ofUpdate) {
      await first.submit({});
      const pieces: Promise<StepResults>[] = [];
      for (const piece of feeds(batch)) pieces.push((await repeated.submit(piece)).results);
      const { results: updated } = await last.submit(ofUpdate);
      return {
        results: heeded(
          Promise.all([Promise.all(pieces), updated]).then(([values, others]) => ({ ...meanOf(values), ...others })),
        ),
      };
    },
    async findNonFinite(batch) {
      for (const piece of feeds(batch)) {
        const found = await repeated.findNonFinite(piece);
        if (found !== null) return found;
      }
      return null;
    },
    async profile(batch, ofUpdate) {
      const spans = [...(await first.profile({}))];
      for (const piece of feeds(batch)) spans.push(...(await repeated.profile(piece)));
      return [...spans, ...(await last.profile(ofUpdate))];
    },
    destroy,
  };
}

/** A batch in equal pieces, images in their order; no value is copied. */
export function splitBatch(
  { step, images, transforms, domains, labels }: TrainingBatch,
  parts: number,
): TrainingBatch[] {
  const piece = <T extends Uint8Array | Uint32Array | Float32Array>(values: T, index: number): T =>
    values.subarray((index * values.length) / parts, ((index + 1) * values.length) / parts) as T;
  return Array.from({ length: parts }, (_, index) => ({
    step,
    images: piece(images, index),
    transforms: piece(transforms, index),
    domains: piece(domains, index),
    labels: piece(labels, index),
  }));
}

function meanOf(results: readonly StepResults[]): StepResults {
  return Object.fromEntries(
    Object.keys(results[0]).map((name) => [
      name,
      results[0][name].map(
        (_, index) => results.reduce((sum, result) => sum + result[name][index], 0) / results.length,
      ),
    ]),
  );
}
