/** What a data set is, batches, augmentation. `sketchgrad/data` in the package. */

export { DEFAULT_AUGMENTATION, type Augmentation } from '../data/augmentation.ts';
export { checkDataset, DatasetError, type Dataset, type ImageSource, type Sample } from '../data/dataset.ts';
export { batches, inOrder, type TrainingBatch } from '../data/loader.ts';
export { balancedSampler, shuffledSampler, type Sampler } from '../data/sampler.ts';
