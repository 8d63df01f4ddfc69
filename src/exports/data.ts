/** What a data set is, batches, augmentation. @module sketchgrad/data */

export type { AppearanceAugmentation } from '../data/appearance.ts';
export { DEFAULT_AUGMENTATION, type Augmentation, type Rgb } from '../data/augmentation.ts';
export {
  checkDataset,
  DatasetError,
  type Dataset,
  type Domain,
  type ImageDraw,
  type ImageSource,
  type Sample,
} from '../data/dataset.ts';
export {
  batches,
  inOrder,
  type BatchOptions,
  type ImageBatch,
  type OrderedBatch,
  type TrainingBatch,
} from '../data/loader.ts';
export {
  balancedSampler,
  shuffledSampler,
  type BalancedBatches,
  type SampledBatch,
  type Sampler,
} from '../data/sampler.ts';
export type { SourceWeights } from '../data/sources.ts';
