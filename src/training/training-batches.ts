import { augmentationTransforms, type Augmentation } from '../data/augmentation.ts';
import type { Dataset } from '../data/dataset.ts';
import { batches, type TrainingBatch } from '../data/loader.ts';
import { balancedSampler, type Sampler } from '../data/sampler.ts';
import type { RetrievalTraining } from './recipe.ts';

/** The batches of a run. Which images a batch holds, and how they are augmented, depends on seed and step alone. */
export class TrainingBatches {
  readonly sampler: Sampler;
  private readonly dataset: Dataset;
  private readonly training: RetrievalTraining;

  constructor(dataset: Dataset, training: RetrievalTraining) {
    this.dataset = dataset;
    this.training = training;
    this.sampler = balancedSampler(dataset, training);
  }

  /** The batches of the steps from `from` to the end of the training. */
  from(from: number): AsyncGenerator<TrainingBatch, void, undefined> {
    const { seed, steps, augmentation, appearance } = this.training;
    return batches({
      ...this.source,
      transforms: (domains, step) => this.transforms(domains, { seed, step, augmentation }),
      from,
      to: steps,
      seed,
      appearance,
    });
  }

  /** The first batch, augmented by default settings: for a step whose result is not kept. */
  async first(): Promise<TrainingBatch | undefined> {
    const transforms = (domains: Uint32Array): Float32Array => this.transforms(domains, { seed: 0, step: 0 });
    for await (const batch of batches({ ...this.source, transforms, to: 1 })) return batch;
    return undefined;
  }

  private get source(): Pick<Parameters<typeof batches>[0], 'sampler' | 'images' | 'sourceSize'> {
    return { sampler: this.sampler, images: this.dataset.images, sourceSize: this.training.imageSize };
  }

  private transforms(
    domains: Uint32Array,
    drawn: { readonly seed: number; readonly step: number; readonly augmentation?: Augmentation },
  ): Float32Array {
    const { imageSize } = this.training;
    return augmentationTransforms(domains, { ...drawn, sourceSize: imageSize, outputSize: imageSize });
  }
}

/** The next `count` items. What follows them remains for the next caller, even if it was read ahead. */
export async function* take<T>(
  stream: AsyncGenerator<T, void, undefined>,
  count: number,
): AsyncGenerator<T, void, undefined> {
  for (let taken = 0; taken < count; taken++) {
    const { value, done } = await stream.next();
    if (done === true) return;
    yield value;
  }
}
