/** The library's settings for the options of a command. */
import { MemoryBudgetError } from '../../autodiff/memory.ts';
import { WHITE } from '../../data/augmentation.ts';
import { IMAGENET_PIXELS, pixelNormalization, type PixelNormalization } from '../../nn/pixels.ts';
import { COSINE_TEMPERATURE } from '../../training/objectives.ts';
import type { RetrievalTraining } from '../../training/recipe.ts';
import { MicroBatchError } from '../../training/step-runner.ts';
import { parseInputOption } from '../files/model-file.ts';
import { OptionError } from '../options/option.ts';
import { recipeOf } from '../options/setting.ts';
import { TRAIN_OPTIONS, type TrainValues } from '../options/training.ts';

/** How pixels become numbers: as --input or the weights say. */
export const pixelsOf = ({ input }: { readonly input?: string }): PixelNormalization =>
  input === undefined ? IMAGENET_PIXELS : pixelNormalization(parseInputOption(input));

const PHOTO_FILLS = {
  white: WHITE,
  black: [0, 0, 0],
  mean: IMAGENET_PIXELS.mean.map((value) => Math.round(255 * value)) as [number, number, number],
} as const;

/**
 * The library's settings for a command's options. @param epoch steps of an epoch, for a schedule by epochs @throws
 * OptionError where two of them do not go together
 */
export function trainingOf(
  options: Omit<TrainValues, 'adapter' | 'debug' | 'tune' | 'deterministic'>,
  steps: number,
  epoch = 1,
): RetrievalTraining {
  const { margin, classifier, augmentationScale } = options;
  if (options.classifierMargin > 0 && classifier !== 'cosine')
    throw new OptionError(
      `--classifier-margin ${options.classifierMargin}: a margin is for cosines; give --classifier cosine as well, or leave it out`,
    );
  const recipe = recipeOf(TRAIN_OPTIONS, options);
  // What follows depends on more than one option, or is not written as the option is.
  return {
    ...recipe,
    steps,
    augmentation: {
      ...recipe.augmentation,
      scale: [1 - augmentationScale, 1 + augmentationScale],
      photoFill: PHOTO_FILLS[options.photoFill],
    },
    ...((options.augmentationRecolouring > 0 || options.augmentationErasing > 0) && {
      appearance: { recolouring: options.augmentationRecolouring, erasing: options.augmentationErasing },
    }),
    pixels: pixelsOf(options),
    losses: {
      ...recipe.losses,
      secondMargin: options.secondMargin ?? margin / 2,
      classifierTemperature: options.classifierTemperature ?? (classifier === 'cosine' ? COSINE_TEMPERATURE : 1),
      ...(options.lossContrastive > 0 && {
        contrastive: {
          weight: options.lossContrastive,
          temperature: options.contrastiveTemperature,
          positives: options.contrastivePositives,
        },
      }),
    },
    schedule: { ...recipe.schedule, stepsAtARate: options.scheduleBy === 'epoch' ? epoch : 1 },
  };
}

/** What the options ask for of a batch and its memory cannot be had. */
export function asOptionError(error: unknown): never {
  if (error instanceof MemoryBudgetError) throw new OptionError(`--memory-budget: ${error.message}`, { cause: error });
  if (error instanceof MicroBatchError) throw new OptionError(`--accumulate: ${error.message}`, { cause: error });
  throw error;
}
