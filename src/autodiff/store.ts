import { ShapeError, Tensor, elementCount, type Shape } from './tensor.ts';

/** Tensors of a store begin at multiples of this many elements: 256 bytes, the strictest alignment of a binding. */
export const STORE_ALIGNMENT = 64;

/** What a stored tensor holds before training: drawn by the counter-based generator, equal on all adapters. */
export type Initial =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'normal'; readonly deviation: number };

export interface StoredTensor {
  readonly tensor: Tensor;
  readonly offset: number;
  readonly initial: Initial;
}

/**
 * Named tensors that outlive a run, one after the other in one flat buffer: parameters, their gradients, an optimiser's
 * moments, running statistics. Flat, so that one dispatch updates all of them; gaps between tensors stay zero.
 */
export class Store {
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

  add(name: string, shape: Shape, initial: Initial = { kind: 'constant', value: 0 }): Tensor {
    if (this.entries.has(name)) throw new ShapeError(`${this.name}: there is a tensor called ${name} already`);
    if (this.closed) throw new ShapeError(`${this.name}: ${name} comes too late, the store is in use as a whole`);
    const tensor = new Tensor(shape, 'f32', { kind: 'stored', store: this, offset: this.end }, name);
    this.entries.set(name, { tensor, offset: this.end, initial });
    this.end += Math.ceil(elementCount(shape) / STORE_ALIGNMENT) * STORE_ALIGNMENT;
    return tensor;
  }

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
  like(name: string, has: (entry: string) => boolean = () => true): Store {
    const store = new Store(name);
    for (const [entry, { tensor }] of this.entries) if (has(entry)) store.add(entry, tensor.shape);
    return store;
  }
}
