import type { DeviceStorage } from '../autodiff/device-storage.ts';
import { CheckpointError, modelChecksum, type Json, type ModelFile } from '../models/model-file.ts';
import type { Network } from '../nn/layers.ts';
import {
  readState,
  readStore,
  StateMismatchError,
  storeMismatch,
  writeState,
  writeStore,
  type State,
} from '../nn/state.ts';
import type { Trainer } from './trainer.ts';

/** Where the state is an average, the weights that learn are stored among the moments under this name. */
const LEARNING_WEIGHTS = 'learning weights';

/** The networks of a training: the one that learns and, where its weights are averaged, the one that is used. */
export interface TrainedNetworks {
  readonly network: Network;
  readonly average?: Network;
}

/** All of a training's state after its last finished step: weights, statistics, moments, step, and its tables. */
export async function captureCheckpoint(
  trainer: Trainer,
  { network, average }: TrainedNetworks,
  storage: DeviceStorage,
  about: Readonly<Record<string, Json>>,
  tables: State = new Map(),
): Promise<ModelFile> {
  const state = await readState(average ?? network, storage);
  const moments = new Map<string, State>(
    average === undefined ? [] : [[LEARNING_WEIGHTS, await readState(network, storage)]],
  );
  for (const store of trainer.update.moments) moments.set(store.name, await readStore(store, network.layouts, storage));
  return { state, about, checksum: await modelChecksum(state, about), moments, tables, step: trainer.step };
}

/**
 * Puts a training back to where a checkpoint was written, bit by bit.
 * @throws CheckpointError where the file lacks a part of the optimizer's state, or has one of another shape
 */
export function restoreCheckpoint(
  file: ModelFile,
  trainer: Trainer,
  { network, average }: TrainedNetworks,
  storage: DeviceStorage,
): void {
  for (const store of trainer.update.moments) {
    const moments = file.moments.get(store.name);
    if (moments === undefined)
      throw new CheckpointError(
        `the checkpoint has no ${store.name}; it was written by another optimizer, or for use only. Start anew from its weights instead of resuming.`,
      );
    const unfit = storeMismatch(store, network.layouts, moments);
    if (unfit !== undefined)
      throw new CheckpointError(
        `the checkpoint's ${store.name} do not fit the training: ${unfit}. Resume from another checkpoint, or start anew from its weights.`,
      );
  }
  writeState(average ?? network, storage, file.state);
  if (average !== undefined) restoreLearning(file, network, storage);
  for (const store of trainer.update.moments)
    writeStore(store, network.layouts, storage, file.moments.get(store.name)!);
  trainer.resumeAt(file.step);
}

/** The weights that learn, of a training whose state is their average. @throws CheckpointError */
function restoreLearning(file: ModelFile, network: Network, storage: DeviceStorage): void {
  const weights = file.moments.get(LEARNING_WEIGHTS);
  if (weights === undefined)
    throw new CheckpointError(
      `the checkpoint has an average of weights and not the ${LEARNING_WEIGHTS} themselves; start anew from the average (--weights) instead of resuming.`,
    );
  try {
    writeState(network, storage, weights);
  } catch (cause) {
    if (cause instanceof StateMismatchError)
      throw new CheckpointError(`the checkpoint's ${LEARNING_WEIGHTS}: ${cause.message}`, { cause });
    throw cause;
  }
}
