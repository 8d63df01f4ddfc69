/** Options of what a training run draws its batches from. */
import { PAPER_EPOCHS } from '../../../training/recipe.ts';
import { DATA_OPTIONS, VALIDATION_OPTION } from '../data.ts';
import { integer, number, numbersByName, text } from '../kinds.ts';
import { setting } from '../setting.ts';
import { SEED_OPTION } from '../shared.ts';

export const BATCH_OPTIONS = {
  ...DATA_OPTIONS,
  validation: VALIDATION_OPTION,
  out: text({
    placeholder: 'folder',
    changeable: true,
    help: "Folder of checkpoints and log.jsonl (default: runs/train-<date>, or the resumed run's folder)",
  }),
  seed: setting('seed', { ...SEED_OPTION, help: 'Seed of splits, data order, augmentation and new weights' }),
  epochs: integer({ minimum: 1, default: PAPER_EPOCHS, help: 'Passes over as many images as the larger domain has' }),
  steps: integer({ minimum: 1, replaces: 'epochs', help: 'Training steps, instead of epochs' }),
  classesPerBatch: setting(
    'classesPerBatch',
    integer({
      minimum: 2,
      help: 'P: classes in a batch, which holds P x (K sketches + K photos)',
    }),
  ),
  imagesPerDomain: setting(
    'imagesPerDomain',
    integer({
      minimum: 1,
      help: 'K: sketches, and photos, of each class in a batch',
    }),
  ),
  sourceWeights: setting(
    'sourceWeights',
    numbersByName({
      help: 'Weights of the sources of a combined data set within a class, such as drawings=3,icons=1. Default of each: 1',
    }),
  ),
  sourceRepeats: setting(
    'sourceRepeats',
    numbersByName({
      help: 'How often the classes of a source occur in a pass, such as drawings=3. Default of each: 1',
    }),
  ),
  pairedSketches: setting(
    'pairedSketches',
    number({
      minimum: 0,
      maximum: 1,
      default: 0,
      help: 'Probability of pairing a picture with a sketch simulated from it (--pseudo-sketches, --data search), instead of any sketch of its class',
    }),
  ),
} as const;
