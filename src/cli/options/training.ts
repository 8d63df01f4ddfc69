import type { OptionValues } from './option.ts';
import { SHARED_OPTIONS, TUNING_OPTIONS } from './shared.ts';
import { AUGMENTATION_OPTIONS } from './training/augmentation.ts';
import { BATCH_OPTIONS } from './training/batches.ts';
import { LOSS_OPTIONS } from './training/losses.ts';
import { NETWORK_OPTIONS } from './training/network.ts';
import { OPTIMIZER_OPTIONS } from './training/optimizer.ts';
import { RUN_OPTIONS } from './training/run.ts';
import { TEACHER_OPTIONS } from './training/teacher.ts';

/**
 * The options of `sketchgrad train`, by topic in `training/`. An option that is a setting of the recipe says which
 * (`setting`); its default and its way into the training follow.
 */
export const TRAIN_OPTIONS = {
  ...BATCH_OPTIONS,
  ...LOSS_OPTIONS,
  ...TEACHER_OPTIONS,
  ...OPTIMIZER_OPTIONS,
  ...AUGMENTATION_OPTIONS,
  ...NETWORK_OPTIONS,
  ...RUN_OPTIONS,
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

/** The values of the options of `sketchgrad train`. */
export type TrainValues = OptionValues<typeof TRAIN_OPTIONS>;
