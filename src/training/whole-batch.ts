import { Program, type Feeds } from '../autodiff/program.ts';
import type { TrainingBatch } from '../data/loader.ts';
import { trainingUpdate } from '../nn/training-update.ts';
import {
  averaged,
  lossScalingOf,
  memoryOf,
  outputsOf,
  updateOutputs,
  type StepOptions,
  type StepRunner,
} from './step-programs.ts';

/** One program that the whole batch passes through at once. */
export async function wholeBatch(options: StepOptions): Promise<StepRunner> {
  const { storage, objective, optimizer, memoryBudget, beside = [], onProgress } = options;
  const update = averaged(
    trainingUpdate(objective.network, objective.loss, objective.batchStatistics, optimizer, lossScalingOf(options)),
    options,
  );
  const program: Program = await Program.compile<string>(storage, {
    outputs: { ...outputsOf(objective), ...updateOutputs(update) },
    updates: update.updates,
    memoryBudget,
    beside,
    onProgress,
  });
  const feeds = (batch: TrainingBatch, ofUpdate: Feeds) => ({ ...objective.feeds(batch), ...ofUpdate });
  return {
    update,
    report: {
      memory: memoryOf(storage, [program.plan, ...beside]),
      budget: memoryBudget,
      recomputed: program.plan.recomputed,
      microBatches: 1,
      normalizedApart: false,
    },
    submit: (batch, ofUpdate) => program.submit(feeds(batch, ofUpdate)),
    findNonFinite: (batch, ofUpdate) => program.findNonFinite(feeds(batch, ofUpdate)),
    profile: (batch, ofUpdate) => program.profile(feeds(batch, ofUpdate)),
    destroy: () => program.destroy(),
  };
}
