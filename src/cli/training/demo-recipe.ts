import type { OptionValues } from '../options/option.ts';
import type { TRAIN_OPTIONS } from '../options/training.ts';

/** Where the demo starts from; scripts/train-demo-start.ts makes it from pictures alone. */
export const DEMO_START = 'models/emoji-start.safetensors';

type Recipe = Partial<OptionValues<typeof TRAIN_OPTIONS>>;

/**
 * The demo's options of sketchgrad train: what learns most within minutes on two cores. How it was found, on classes
 * set aside for it among the seen ones, is told in docs/lab/demo-recipe.md.
 */
export const DEMO_RECIPE: Recipe = {
  data: 'emoji',
  size: 48,
  width: 0.25,
  embedding: 128,
  classifier: 'cosine',
  classesPerBatch: 32,
  imagesPerDomain: 1,
  steps: 400,
  optimizer: 'adamw',
  learningRate: 2e-3,
  weightDecay: 0.02,
  decayed: 'weights',
  warmup: 20,
  schedule: 'cosine',
  finalRate: 0,
  lossContrastive: 1,
  augmentation: 0.5,
};

/**
 * `--full`: the network and the resolution of the paper, for who has a GPU; from random weights, hence the long
 * warm-up.
 */
export const FULL_RECIPE: Recipe = {
  data: 'emoji',
  size: 224,
  width: 1,
  embedding: 512,
  classesPerBatch: 16,
  imagesPerDomain: 2,
  epochs: 60,
  optimizer: 'adam',
  learningRate: 5e-4,
  schedule: 'cosine',
  finalRate: 0.001,
  warmup: 100,
  quadrupletStart: 1000,
  quadrupletRamp: 500,
};
