import { cast as castKernel } from '../../kernels/elementwise/cast.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import type { FloatType } from '../../kernels/contract/element-types.ts';
import type { StorageType } from '../../kernels/contract/storage-type.ts';
import { floatType, Tensor, type KernelUse, type GraphNode, type Op, type Shape } from './tensor.ts';

export {
  COUNTED_ELSEWHERE,
  type GradientRule,
  type IndexUse,
  type KernelUse,
  type Op,
  type Pin,
  type TensorType,
} from './tensor.ts';

/**
 * Points at which tests compare the gradients of a file's ops with finite differences, by the name of the exported
 * function. An op's file exports them as `examples`.
 */
export type OpExamples = Readonly<
  Record<
    string,
    {
      /** Shapes of the inputs, whose values tests draw from [-1, 1). */
      readonly inputs: Readonly<Record<string, Shape>>;
      readonly apply: (inputs: Readonly<Record<string, Tensor>>) => readonly Tensor[];
      /** The longest sum behind one element of an output; 1 if left out. */
      readonly reduction?: number;
    }
  >
>;

/**
 * A kernel problem's `type`, for activations stored as a tensor is; nothing for f32, as in problems of before there was
 * another.
 */
export const stored = ({ type }: Tensor): StorageType => (type === 'f16' ? { type } : {});

/**
 * A kernel call in the lowering of an op.
 * @param operands tensors by the names of the operands of the kernel
 */
export function use<Problem>(
  kernel: Kernel<Problem>,
  problem: Problem,
  operands: Readonly<Record<string, Tensor>>,
): KernelUse {
  return { kernel, problem, operands };
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
export function applyNode<Attributes>(
  op: Op<Attributes>,
  inputs: readonly Tensor[],
  attributes: Attributes,
): GraphNode {
  const taken =
    op.supportsF16 === true ? inputs : inputs.map((tensor) => (tensor.type === 'f16' ? cast(tensor, 'f32') : tensor));
  const outputs: Tensor[] = [];
  const node: GraphNode<Attributes> = { op, attributes, inputs: taken, outputs };
  for (const { shape, type, name } of op.infer(taken, attributes)) {
    outputs.push(new Tensor(shape, type ?? 'f32', { kind: 'node', node: node as GraphNode }, name ?? op.name));
  }
  return node as GraphNode;
}

// `applyNode` inserts casts, so the op that casts is in this file and not among the others.

const castOp: Op<{ readonly to: FloatType }> = {
  name: 'cast',
  supportsF16: true,
  infer: ([x], { to }) => [{ shape: x.shape, type: to, name: x.name }],
  lower: ({ attributes: { to }, inputs: [values], outputs: [result] }) => [
    use(castKernel, { count: values.length, to }, { values, cast: result }),
  ],
  gradient: ({ inputs: [x] }, [dy]) => [dy && cast(dy, floatType(x))],
};

/**
 * The same numbers stored as 16-bit or as 32-bit floats, rounded to nearest; x itself where it has that type. Its
 * gradient is cast back.
 */
export function cast(x: Tensor, to: FloatType): Tensor {
  return floatType(x) === to ? x : apply(castOp, [x], { to })[0];
}
