/** The library's settings for the options of a command. */
import { MemoryBudgetError } from '../../autodiff/memory.ts';
import type { RetrievalTraining } from '../../training/recipe.ts';
import { MicroBatchError } from '../../training/step-runner.ts';
import { OptionError } from '../options/option.ts';
import { recipeOf } from '../options/setting.ts';
import { TRAIN_OPTIONS, type TrainValues } from '../options/training.ts';

/**
 * The library's settings for a command's options. @param stepsInAnEpoch for a schedule by epochs @throws OptionError
 * where two of them do not go together
 */
export function trainingOf(
  options: Omit<TrainValues, 'adapter' | 'debug' | 'tune' | 'deterministic'>,
  steps: number,
  stepsInAnEpoch = 1,
): RetrievalTraining {
  return { ...recipeOf(TRAIN_OPTIONS, { ...options, stepsInAnEpoch }), steps };
}

/** What the options ask for of a batch and its memory cannot be had. */
export function asOptionError(error: unknown): never {
  if (error instanceof MemoryBudgetError) throw new OptionError(`--memory-budget: ${error.message}`, { cause: error });
  if (error instanceof MicroBatchError) throw new OptionError(`--accumulate: ${error.message}`, { cause: error });
  throw error;
}
