/**
 * The graph: tensors, the nodes and ops that they come from, and the stores that hold some of them. They are declared in
 * terms of one another, hence in one file.
 */
import type { AnyKernel } from '../../kernels/kernel.ts';
import { storageBytes, type ElementType, type FloatType } from '../../kernels/contract/element-types.ts';
import { hostValues, typeOfValues, type HostValues } from '../gpu/host-values.ts';

/** The sizes of a tensor, the slowest axis first; empty for a scalar. */
export type Shape = readonly number[];

export const elementCount = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/** Where a tensor's values come from: the caller of the program, the graph's author, a persistent store, or a node. */
export type Origin =
  | { readonly kind: 'input' }
  | { readonly kind: 'constant'; readonly values: ArrayBufferView<ArrayBuffer> }
  | { readonly kind: 'stored'; readonly store: ParameterStore; readonly offset: number }
  | { readonly kind: 'node'; readonly node: GraphNode };

let created = 0;

/**
 * A symbolic tensor: a shape and where it comes from. It holds no numbers; those exist while a program runs, or in a
 * store. Activations are [batch, height, width, channels]; weights of convolutions [height, width, input, output
 * channels].
 */
export class Tensor {
  /** Rises with creation, so that the order of ids is an order in which all can be computed. */
  readonly id = created++;
  readonly shape: Shape;
  readonly type: ElementType;
  readonly origin: Origin;
  /** For messages and profiles. */
  readonly name: string;

  constructor(shape: Shape, type: ElementType, origin: Origin, name: string) {
    if (shape.some((size) => !Number.isSafeInteger(size) || size < 1)) {
      throw new ShapeError(`${name}: [${shape.join(', ')}] is no shape; each size is an integer of 1 or more`);
    }
    this.shape = [...shape];
    this.type = type;
    this.origin = origin;
    this.name = name;
  }

  get length(): number {
    return elementCount(this.shape);
  }

  /** What it takes in a buffer. */
  get bytes(): number {
    return storageBytes(this.type, this.length);
  }
}

/** One application of an op to tensors. */
export interface GraphNode<Attributes = unknown> {
  readonly op: Op<Attributes>;
  readonly attributes: Attributes;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** A kernel at work: which, on what problem, and which tensor each of its operands is. */
export interface KernelUse {
  readonly kernel: AnyKernel;
  readonly problem: unknown;
  readonly operands: Readonly<Record<string, Tensor>>;
}

/** A place in a store that a tensor should be computed into. */
export interface Pin {
  readonly tensor: Tensor;
  readonly store: ParameterStore;
  readonly offset: number;
}

/** Indices that an op takes from data. */
export interface IndexUse {
  /** u32, of any shape. */
  readonly indices: Tensor;
  /** Each must be below it. */
  readonly end: number;
}

/** What an op says of an output: shape, element type (f32 if left out) and a name for messages. */
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
  node: GraphNode<Attributes>,
  outputGradients: readonly (Tensor | undefined)[],
  needed: readonly boolean[],
) => readonly (Tensor | typeof COUNTED_ELSEWHERE | undefined)[];

/** An operation: its shape rule, its lowering to kernels, and its gradient rule, side by side. */
export interface Op<Attributes> {
  readonly name: string;
  /**
   * The types of the outputs.
   * @throws ShapeError where inputs or attributes do not fit
   */
  infer(inputs: readonly Tensor[], attributes: Attributes): readonly TensorType[];
  /**
   * The kernel calls that compute a node.
   * @param granted places that the plan gives outputs in advance
   */
  lower(node: GraphNode<Attributes>, granted: ReadonlyMap<Tensor, Pin>): readonly KernelUse[];
  /**
   * The rule; or, if it needs kernels that inference does not use, the name under which its file exports it. The name is
   * a plain string here, so that this file knows nothing of the rules; test/autodiff/gradients.test.ts checks it.
   */
  readonly gradient?: GradientRule<Attributes> | string;
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
  pins?(node: GraphNode<Attributes>): readonly Pin[];
  /**
   * Whether it has a 16-bit form, and takes f16 inputs as they are. All other ops get them upcast to f32, so that what
   * has no such form is right, if not small.
   */
  readonly supportsF16?: boolean;
  /** The output is the input's memory under another shape. */
  readonly view?: boolean;
  /**
   * Indices that it takes from data: a program checks them (indices.ts), and the kernel must not read outside its
   * operands whatever they are.
   */
  indices?(node: GraphNode<Attributes>): readonly IndexUse[];
  /** Changes stored tensors in place; runs after all else, in the order given to the program, unless it is eager. */
  readonly effect?: boolean;
  /** Runs as soon as its inputs are there, since nothing else needs their memory any longer. */
  readonly eager?: boolean;
}

/** Tensors of a store begin at multiples of this many elements: 256 bytes, the strictest alignment of a binding. */
export const STORE_ALIGNMENT = 64;

/** What a stored tensor holds before training: drawn by the counter-based generator, equal on all adapters. */
export type Initial =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'normal'; readonly deviation: number };

/** A tensor of a store: its place in the store's flat buffer, in elements, and how it is drawn. */
export interface StoredTensor {
  readonly tensor: Tensor;
  readonly offset: number;
  readonly initial: Initial;
}

/**
 * Named tensors that outlive a run, one after the other in one flat buffer: parameters, their gradients, an optimizer's
 * moments, running statistics. Flat, so that one dispatch updates all of them; gaps between tensors stay zero.
 */
export class ParameterStore {
  readonly name: string;
  readonly entries = new Map<string, StoredTensor>();
  private end = 0;
  private closed = false;
  private whole: Tensor | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Elements of the flat buffer, a multiple of STORE_ALIGNMENT. */
  get length(): number {
    return this.end;
  }

  /**
   * Declares a tensor of the store.
   * @param initial how it is drawn; zeros by default
   * @returns the symbolic tensor
   */
  add(name: string, shape: Shape, initial: Initial = { kind: 'constant', value: 0 }): Tensor {
    if (this.entries.has(name)) throw new ShapeError(`${this.name}: there is a tensor called ${name} already`);
    if (this.closed) throw new ShapeError(`${this.name}: ${name} comes too late, the store is in use as a whole`);
    const tensor = new Tensor(shape, 'f32', { kind: 'stored', store: this, offset: this.end }, name);
    this.entries.set(name, { tensor, offset: this.end, initial });
    this.end += Math.ceil(elementCount(shape) / STORE_ALIGNMENT) * STORE_ALIGNMENT;
    return tensor;
  }

  /**
   * The tensor of a name.
   * @throws ShapeError where the store has none
   */
  get(name: string): Tensor {
    const entry = this.entries.get(name);
    if (entry === undefined) throw new ShapeError(`${this.name} has no tensor called ${name}`);
    return entry.tensor;
  }

  /** All of the store as one tensor [length]; nothing can be added any more. */
  get flat(): Tensor {
    this.whole ??= this.range(0, this.end);
    return this.whole;
  }

  /**
   * Part of the flat buffer as a tensor [length]; nothing can be added any more. @param first a multiple of
   * STORE_ALIGNMENT
   */
  range(first: number, length: number): Tensor {
    this.closed = true;
    return new Tensor([length], 'f32', { kind: 'stored', store: this, offset: first }, this.name);
  }

  /**
   * A store of the same tensors, in their order: moments of parameters; or of some of them: gradients of those that
   * learn.
   */
  like(name: string, has: (entry: string) => boolean = () => true): ParameterStore {
    const store = new ParameterStore(name);
    for (const [entry, { tensor }] of this.entries) if (has(entry)) store.add(entry, tensor.shape);
    return store;
  }
}

/**
 * A tensor that the caller gives with each run. The host has no 16-bit floats: `cast` downcasts what should be stored in
 * them.
 */
export function input(name: string, shape: Shape, type: Exclude<ElementType, 'f16'> = 'f32'): Tensor {
  if (type !== 'f32' && type !== 'u32')
    throw new ShapeError(`input ${name}: there is no type ${String(type)}; inputs are f32 or u32`);
  return new Tensor(shape, type, { kind: 'input' }, name);
}

/**
 * A tensor whose values are part of the graph, such as a table or a list of indices. The values are copied at the call.
 * @param values u32 where they are an array of integers of 16 or 32 bits, otherwise f32
 */
export function constant(
  name: string,
  shape: Shape,
  values: Exclude<HostValues, Uint8Array | Uint8ClampedArray>,
): Tensor {
  const type = typeOfValues(values);
  const refuse = (why: string): never => {
    throw new ShapeError(`constant ${name} [${shape.join(', ')}] ${why}`);
  };
  return new Tensor(
    shape,
    type,
    { kind: 'constant', values: hostValues(values, type, elementCount(shape), refuse, true) },
    name,
  );
}

/** The type of a tensor of floats. @throws ShapeError for integers */
export function floatType(tensor: Tensor): FloatType {
  if (tensor.type === 'u32') throw new ShapeError(`${describe(tensor)} holds integers; floats were expected`);
  return tensor.type;
}

/** Tensors or attributes that do not fit an op; the message names the op, what it was given and what it takes. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

/** A gradient that is not defined; the message names the op and its input or output. */
export class GradientError extends Error {
  override readonly name = 'GradientError';
}

/** An index from data that is out of range; the message names op, tensor, row and value. */
export class IndexError extends Error {
  override readonly name = 'IndexError';
}

export const describe = (tensor: Tensor): string =>
  `${tensor.name} [${tensor.shape.join(', ')}]${tensor.type === 'f32' ? '' : ` ${tensor.type}`}`;
