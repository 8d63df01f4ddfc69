import type { Kernel } from '../../../kernels/kernel.ts';
import type { ArenaProblem } from '../../../kernels/optimizer/arena.ts';
import {
  SEGMENT_FIELDS,
  segmentTable,
  type ArenaTensor,
  type SegmentedProblem,
} from '../../../kernels/optimizer/tensor-norms.ts';
import { update } from '../../autodiff/ops/effects.ts';
import { constant, type GraphNode, type Tensor } from '../../autodiff/tensor.ts';

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
export interface UpdateRange {
  /** [n] */
  readonly parameters: Tensor;
  /** [n] */
  readonly gradients: Tensor;
  /** u32 [n / 64]: the parameter group of each block of 64 elements. */
  readonly group: Tensor;
  /** f32 [groups * 4]: the multiplier of the learning rate, weight decay, factor of the gradients, 0. */
  readonly groupSettings: Tensor;
  /** The optimizer's numbers of a step, written by the host. */
  readonly hyper: Tensor;
  /** See `nonFinite`. */
  readonly gate: Tensor;
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
  /**
   * An effect that updates a range in place: see `elementwiseUpdate` and `tensorwiseUpdate`.
   * @param state the same range of each store of `state`
   */
  update(range: UpdateRange, state: readonly Tensor[], hyperparameters: Hyperparameters): GraphNode;
}

/**
 * An update that goes element by element.
 * @param state the tensors of the state, by the names of the kernel's operands
 * @param flags what the kernel's problem has beside the size of the arena
 */
export const elementwiseUpdate = <Problem extends ArenaProblem>(
  kernel: Kernel<Problem>,
  { parameters, gradients, group, groupSettings, hyper, gate }: UpdateRange,
  state: Readonly<Record<string, Tensor>>,
  flags: Omit<Problem, keyof ArenaProblem>,
): GraphNode =>
  update(kernel, { count: parameters.length, groups: groupSettings.length / 4, ...flags } as unknown as Problem, {
    parameters,
    gradients,
    ...state,
    group,
    groupSettings,
    hyper,
    gate,
  });

/** An update that needs norms of whole tensors. @param state as in `elementwiseUpdate` */
export function tensorwiseUpdate(
  kernel: Kernel<SegmentedProblem>,
  { parameters, gradients, tensors, groupSettings, hyper, gate }: UpdateRange,
  state: Readonly<Record<string, Tensor>>,
): GraphNode {
  const table = segmentTable(tensors);
  const segments = constant('segments', [table.length], table);
  return update(
    kernel,
    { count: parameters.length, groups: groupSettings.length / 4, segments: table.length / SEGMENT_FIELDS },
    { parameters, gradients, ...state, segments, groupSettings, hyper, gate },
  );
}
