// Trainings of a tiny network on shapes, for suites of whole runs.
import { parseModel, serializeModel, type ModelFile } from '../../src/models/model-file.ts';
import type { LogEntry } from '../../src/training/log.ts';
import { trainRetrieval } from '../../src/training/run.ts';
import type { Checkpoint, TrainRetrievalOptions } from '../../src/training/run-options.ts';
import { testDevice } from './device.ts';
import { shapesDataset, TINY_TRAINING } from './shapes-dataset.ts';

export interface Outcome {
  readonly checksum: string;
  readonly stopped: boolean;
  readonly log: readonly LogEntry[];
  readonly checkpoints: readonly Checkpoint[];
}

/** A tiny training; its weights leave the device. */
export async function train(options: Partial<TrainRetrievalOptions> = {}): Promise<Outcome> {
  const log: LogEntry[] = [];
  const checkpoints: Checkpoint[] = [];
  const { model, file, stopped } = await trainRetrieval({
    device: await testDevice(),
    dataset: shapesDataset(),
    training: TINY_TRAINING,
    onCheckpoint: async (checkpoint) => void checkpoints.push(checkpoint),
    ...options,
    onLog: (entry) => {
      log.push(entry);
      options.onLog?.(entry);
    },
  });
  model.storage.destroy();
  return { checksum: file.checksum, stopped, log, checkpoints };
}

/** Through bytes, as a file would bring it back. */
export const stored = async (file: ModelFile, name = 'run/checkpoint'): Promise<{ file: ModelFile; name: string }> => ({
  file: await parseModel(await serializeModel(file), name),
  name,
});
export const steps = (log: readonly LogEntry[]) =>
  log
    .filter((entry) => entry.event === 'step')
    .map(({ step, loss, learningRate, values }) => ({ step, loss, learningRate, values }));
