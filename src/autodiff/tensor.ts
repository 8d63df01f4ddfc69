import { storageBytes, type ElementType, type FloatType } from '../../kernels/contract/dispatch.ts';
import { hostValues, typeOfValues, type HostValues } from '../gpu/host-values.ts';
import type { Op } from './op.ts';
import type { Store } from './store.ts';

export type Shape = readonly number[];

export const elementCount = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/** Where a tensor's values come from: the caller of the program, the graph's author, a persistent store, or a node. */
export type Origin =
  | { readonly kind: 'input' }
  | { readonly kind: 'constant'; readonly values: ArrayBufferView<ArrayBuffer> }
  | { readonly kind: 'stored'; readonly store: Store; readonly offset: number }
  | { readonly kind: 'node'; readonly node: Node };

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
export interface Node<Attributes = unknown> {
  readonly op: Op<Attributes>;
  readonly attributes: Attributes;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/**
 * A tensor that the caller gives with each run. The host has no 16-bit floats: `cast` narrows what should be stored in
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
