import type { AnyKernel, Kernel } from '../../kernels/kernel.ts';
import type { StorageType } from '../../kernels/contract/storage-type.ts';
import type { ElementType } from '../../kernels/contract/dispatch.ts';
import type { gradientRules } from './gradient-rules.ts';
import { cast } from './ops/cast.ts';
import type { Store } from './store.ts';
import { Tensor, type Node, type Shape } from './tensor.ts';

/** A kernel at work: which, on what problem, and which tensor each of its operands is. */
export interface KernelUse {
  readonly kernel: AnyKernel;
  readonly problem: unknown;
  readonly operands: Readonly<Record<string, Tensor>>;
}

/**
 * A kernel problem's `type`, for activations stored as a tensor is; nothing for f32, as in problems of before there was
 * another.
 */
export const stored = ({ type }: Tensor): StorageType => (type === 'f16' ? { type } : {});

export function use<Problem>(
  kernel: Kernel<Problem>,
  problem: Problem,
  operands: Readonly<Record<string, Tensor>>,
): KernelUse {
  return { kernel, problem, operands };
}

/** A place in a store that a tensor should be computed into. */
export interface Pin {
  readonly tensor: Tensor;
  readonly store: Store;
  readonly offset: number;
}

/** Indices that an op takes from data. */
export interface IndexUse {
  /** u32, of any shape. */
  readonly indices: Tensor;
  /** Each must be below it. */
  readonly end: number;
}

export interface TensorType {
  readonly shape: Shape;
  readonly type?: ElementType;
  readonly name?: string;
}

/**
 * What a rule returns for an input whose share of the gradient is part of another input's, so that nothing is missing.
 */
export const COUNTED_ELSEWHERE = 'counted elsewhere';

/**
 * The gradient of an op. It receives the gradient of the loss with respect to each output (undefined where the loss
 * does not depend on it) and returns, for each input, the gradient with respect to it. Undefined means that the rule
 * has none: `gradient` then throws where a float input needed one, so that no share of a gradient is dropped silently.
 * It must use what it receives: an op is rarely the last of its graph.
 * @param outputGradients defined only for outputs in the op's `differentiableOutputs`
 * @param needed which inputs' gradients are needed
 */
export type GradientRule<Attributes> = (
  node: Node<Attributes>,
  outputGradients: readonly (Tensor | undefined)[],
  needed: readonly boolean[],
) => readonly (Tensor | typeof COUNTED_ELSEWHERE | undefined)[];

/** An operation: its shape rule, its lowering to kernels, and its gradient rule, side by side. */
export interface Op<Attributes> {
  readonly name: string;
  infer(inputs: readonly Tensor[], attributes: Attributes): readonly TensorType[];
  lower(node: Node<Attributes>, granted: ReadonlyMap<Tensor, Pin>): readonly KernelUse[];
  /** The rule; or, where it brings kernels along that inference has no use for, its name in gradient-rules.ts. */
  readonly gradient?: GradientRule<Attributes> | keyof typeof gradientRules;
  /**
   * The outputs, by index, whose gradient the rule takes; the first alone if left out. A loss that depends on any other
   * output, such as statistics or a gradient that was computed in advance, has no gradient through this op: `gradient`
   * throws.
   */
  readonly differentiableOutputs?: readonly number[];
  /**
   * Tensors that should be computed right into a place of a store, so that nothing has to be moved there. The plan
   * grants it to a tensor that a node computes and that has no other fixed place; `lower` hears which pins it granted.
   */
  pins?(node: Node<Attributes>): readonly Pin[];
  /**
   * Whether it has a 16-bit form, and takes f16 inputs as they are. All other ops get them widened to f32, so that what
   * has no such form is right, if not small.
   */
  readonly takesHalves?: boolean;
  /** The output is the input's memory under another shape. */
  readonly view?: boolean;
  /**
   * Indices that it takes from data: a program checks them (indices.ts), and the kernel must not read outside its
   * operands whatever they are.
   */
  indices?(node: Node<Attributes>): readonly IndexUse[];
  /** Changes stored tensors in place; runs after all else, in the order given to the program, unless it is eager. */
  readonly effect?: boolean;
  /** Runs as soon as its inputs are there, since nothing else needs their memory any longer. */
  readonly eager?: boolean;
}

/** Applies an op: checks shapes and gives the symbolic outputs. */
export function apply<Attributes>(
  op: Op<Attributes>,
  inputs: readonly Tensor[],
  attributes: Attributes,
): readonly Tensor[] {
  return applyNode(op, inputs, attributes).outputs;
}

/** Like `apply`, for ops without outputs: gives the node, which a program takes as an update. */
export function applyNode<Attributes>(op: Op<Attributes>, inputs: readonly Tensor[], attributes: Attributes): Node {
  const taken =
    op.takesHalves === true ? inputs : inputs.map((tensor) => (tensor.type === 'f16' ? cast(tensor, 'f32') : tensor));
  const outputs: Tensor[] = [];
  const node: Node<Attributes> = { op, attributes, inputs: taken, outputs };
  for (const { shape, type, name } of op.infer(taken, attributes)) {
    outputs.push(new Tensor(shape, type ?? 'f32', { kind: 'node', node: node as Node }, name ?? op.name));
  }
  return node as Node;
}
