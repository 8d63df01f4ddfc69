import type { ArenaTensor } from '../../../kernels/optimizer/tensor-norms.ts';
import type { UpdateOperands } from '../../autodiff/ops/optimizers.ts';
import type { GraphNode, Tensor } from '../../autodiff/tensor.ts';

/** Parameters with the same settings. */
export interface ParameterGroup {
  /** Which parameters, by name; the first group that matches wins. */
  readonly matches: (name: string) => boolean;
  /**
   * Times the learning rate; 0 keeps the group and its moments as they are: it has no gradients, and no update passes
   * over it.
   */
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** Parameters that follow one another in their store, with what an update of them reads. */
export interface UpdateRange extends UpdateOperands {
  /** The parameters one by one, for updates that need norms of whole tensors. */
  readonly tensors: readonly ArenaTensor[];
}

/** A rule by which gradients change parameters. `Hyperparameters` are its numbers and flags besides learning rate and weight decay. */
export interface Optimizer<Hyperparameters extends object> {
  readonly defaults: Hyperparameters;
  /** Names of the stores of its state. Each has the layout of the parameters and starts at 0. */
  readonly state: readonly string[];
  /** Elements of what `hyper` returns. */
  readonly hyperLength: number;
  /** The numbers that the update reads in a step. @param step counted from 1 */
  hyper(hyperparameters: Hyperparameters, learningRate: number, step: number): ArrayLike<number>;
  /** An effect that updates a range in place. @param state the same range of each store of `state` */
  update(range: UpdateRange, state: readonly Tensor[], hyperparameters: Hyperparameters): GraphNode;
}
