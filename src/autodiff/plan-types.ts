/** What a plan is made of. */
import type { AnyKernel, Cost, KernelCall } from '../../kernels/kernel.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import type { Choices } from './variant-selector.ts';
import type { IndexUse } from './op.ts';
import type { GraphNode, ParameterStore, Tensor } from './tensor.ts';

/** Where an operand's values are; offsets and sizes in bytes. */
export type Place =
  | { readonly kind: 'given'; readonly tensor: Tensor; readonly bytes: number }
  | { readonly kind: 'stored'; readonly store: ParameterStore; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'arena'; readonly offset: number; readonly bytes: number };

/** A kernel call with a place for each operand. */
export interface PlannedCall {
  readonly kernel: AnyKernel;
  readonly problem: unknown;
  readonly label: string;
  readonly call: KernelCall;
  /** The variants that it was chosen from. */
  readonly offered: readonly KernelCall[];
  readonly cost: Cost;
  readonly places: Readonly<Record<string, Place>>;
  readonly node: GraphNode;
}

/** All that a program does, decided before anything runs. */
export interface Plan {
  readonly calls: readonly PlannedCall[];
  /** Whether stored tensors were taken for unchanged between runs. */
  readonly frozen: boolean;
  /**
   * How many of the calls, the first ones, depend on stores and constants alone: their results hold for all runs. None
   * unless frozen.
   */
  readonly frozenCalls: number;
  /** Tensors with buffers of their own: inputs, written before each run, and constants, written once. */
  readonly given: readonly Tensor[];
  /** The inputs that reach the device through staging buffers. */
  readonly staged: readonly Tensor[];
  readonly stores: readonly ParameterStore[];
  /** The place of each tensor that the program gives back. */
  readonly outputs: ReadonlyMap<Tensor, Place>;
  /** Indices that the graph computes. They are outputs beside those requested, so that the host sees them. */
  readonly computedIndices: readonly IndexCheck[];
  /** Bytes that a run gives back. */
  readonly resultBytes: number;
  /** Bytes of the arena: the peak of all intermediates and scratch. */
  readonly arenaBytes: number;
  /** The lower bound of any arena for this order of calls. */
  readonly liveBytes: number;
  /** What is computed twice so that the arena is smaller; undefined where nothing had to be. */
  readonly recomputed: Recomputed | undefined;
}

export interface PlanOptions {
  readonly outputs: readonly Tensor[];
  readonly updates: readonly GraphNode[];
  readonly traits: AdapterTraits;
  readonly maxBufferBytes: number;
  /** The largest storage binding; dispatches over more are cut into slices. Left out, there is no limit. */
  readonly maxBindingBytes?: number;
  /** Bytes from which an input is staged. Left out, what suits the adapter. */
  readonly stagedFrom?: number;
  /**
   * Bytes that the arena should fit into, by recomputation; where even the least that it finds is larger, the plan has
   * that.
   */
  readonly arenaBudget?: number;
  /** Variants to take; where it says nothing, the kernel's own preference. */
  readonly choices?: Choices;
  /** What is stored does not change between runs, so that what depends on it alone is computed apart from them. */
  readonly frozen?: boolean;
}

/** A kernel call in the order of the plan, its operands not yet placed. */
export interface ScheduledCall {
  readonly planned: Omit<PlannedCall, 'places'>;
  readonly operands: Readonly<Record<string, Tensor>>;
}

/** What is computed twice. */
export interface Recomputed {
  readonly tensors: number;
  readonly cost: Cost;
  /** Work of recomputing over the work of the rest, by `work`. */
  readonly share: number;
}

/** Where the values of the indices come from, and the op that takes them. */
export interface IndexCheck extends IndexUse {
  readonly op: string;
}
