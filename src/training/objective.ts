/** What a trainer minimizes, and how its batch may come in parts. */
import type { Feeds } from '../autodiff/program.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import type { TrainingBatch } from '../data/loader.ts';
import type { BatchStatistics } from '../nn/forward-context.ts';
import type { Network } from '../nn/layers.ts';
import type { Precision } from '../models/image-input.ts';

/** A loss on a network: what a trainer minimizes, and what it reports. */
export interface Objective {
  readonly network: Network;
  readonly loss: Tensor;
  readonly batchStatistics: BatchStatistics;
  /** Tensors to be read back each step, each with a name for each of its elements. */
  readonly reported: Readonly<Record<string, { readonly tensor: Tensor; readonly names: readonly string[] }>>;
  /** The program's inputs for a batch, but for the optimizer's. */
  feeds(batch: TrainingBatch): Feeds;
  /** Images in a batch. */
  readonly count: number;
  /** f32 if left out; with f16 the trainer scales the loss. */
  readonly precision?: Precision;
  /**
   * The same objective on fewer images. Only where the loss is a mean over images, so that a batch can come in parts.
   */
  readonly ofCount?: (count: number) => Objective;
  /**
   * The same objective in two parts. Only where a loss over the whole batch sees of each image what the network makes
   * of it alone.
   */
  readonly encoded?: EncodedObjective;
}

/** An objective in two parts, so that a batch can pass through the network in micro-batches and meet in the loss. */
export interface EncodedObjective {
  /** A number that the images of every part must be a multiple of; 1 if left out. */
  readonly multipleOf?: number;
  /** What the network makes of so many images, [count, width]. */
  encode(count: number): {
    readonly encoded: Tensor;
    readonly batchStatistics: BatchStatistics;
    /** The inputs of the program for a batch. */
    feeds(batch: TrainingBatch): Feeds;
  };
  /**
   * The loss of what the network makes of a batch.
   * @param encoded the whole batch, [batch, width]
   */
  loss(encoded: Tensor): Pick<Objective, 'loss' | 'reported' | 'feeds'>;
}
