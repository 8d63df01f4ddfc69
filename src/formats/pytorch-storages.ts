/** The storages of a file of torch.save, and the tensors as views of them: shapes, strides and offsets are checked here. */
import { Tuple } from './pickle-machine.ts';
import type { Dtype } from './safetensors.ts';
import { printable } from './untrusted.ts';
import { type Fail } from './zip.ts';

/** Above any real tensor's. */
export const MOST_DIMENSIONS = 32;

/** A storage that a pickle speaks of. Its bytes may come later. */
export class Storage {
  bytes: Uint8Array | undefined;
  bigEndian = false;

  constructor(
    readonly key: string,
    readonly element: ElementType,
    readonly count: number,
  ) {}
}

/** A part of a storage, which is how old files keep storages that share memory. */
export interface StoragePart {
  readonly storage: Storage;
  readonly offset: number;
  readonly count: number;
}

export class StoredTensor {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

export class ElementType {
  constructor(
    readonly dtype: Dtype,
    readonly bytes: number,
  ) {}
}

/** Storages that a pickle speaks of, each once. */
export class StorageTable {
  private readonly byKey = new Map<string, Storage>();

  get all(): Iterable<Storage> {
    return this.byKey.values();
  }

  find(key: unknown): Storage | undefined {
    return typeof key === 'string' || typeof key === 'number' ? this.byKey.get(String(key)) : undefined;
  }

  /**
   * A persistent id: ('storage', type, key, location, count) and, in the stream, a view of it: (key, offset, count) or
   * None.
   */
  readonly persistent = (id: unknown, fail: Fail): StoragePart => {
    const items = id instanceof Tuple ? id.items : fail('a persistent id is no tuple');
    const [kind, element, key, , length, view] = items;
    if (kind !== 'storage' || !(element instanceof ElementType) || (typeof key !== 'string' && typeof key !== 'number'))
      return fail('a persistent id is none of a storage of numbers');
    const name = String(key);
    const elements = count(length, `length of the storage ${printable(name)}`, fail);
    let storage = this.byKey.get(name);
    if (storage === undefined) this.byKey.set(name, (storage = new Storage(name, element, elements)));
    if (storage.element !== element || storage.count !== elements)
      fail(`the storage ${printable(name)} is described in two ways`);
    if (view === undefined || view === null) return { storage, offset: 0, count: elements };
    const [, offset, viewLength] = tupleOf(view, 3, 'a view of a storage', fail);
    return partOf(storage, count(offset, 'offset of a view', fail), count(viewLength, 'length of a view', fail), fail);
  };
}

/** A tensor whose every element lies in its part of a storage, and that has no more elements than that. */
export function checkedTensor(
  part: StoragePart,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
  fail: Fail,
): StoredTensor {
  const description = `a tensor [${shape.slice(0, MOST_DIMENSIONS).join(', ')}] in the storage ${printable(part.storage.key)}`;
  if (shape.length > MOST_DIMENSIONS || strides.length !== shape.length)
    fail(`${description} has ${shape.length} sizes and ${strides.length} strides`);
  const elements = elementsOf(shape);
  if (elements > part.count)
    fail(
      `${description} has ${elements} elements, and its storage ${part.count}; tensors that repeat elements (expand) are not read`,
    );
  const last = offset + shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], 0);
  if (elements > 0 && last >= part.count)
    fail(
      `${description} with strides [${strides.join(', ')}] begins at element ${offset} and ends at ${last}, and its storage has ${part.count}`,
    );
  return new StoredTensor(part.storage, part.offset + offset, shape, strides);
}

export function partOf(storage: Storage, offset: number, length: number, fail: Fail): StoragePart {
  if (offset + length > storage.count)
    fail(
      `a view of elements ${offset} to ${offset + length} leaves the storage ${printable(storage.key)} of ${storage.count}`,
    );
  return { storage, offset, count: length };
}

/** Without 0 times infinity. */
export const elementsOf = (shape: readonly number[]): number =>
  shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);

export function count(value: unknown, what: string, fail: Fail): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? value
    : fail(`the ${what} is ${shown(value)}, where a whole number is needed`);
}

export function tupleOf(value: unknown, length: number, what: string, fail: Fail): readonly unknown[] {
  return value instanceof Tuple && value.items.length === length
    ? value.items
    : fail(`${what} is no tuple of ${length}`);
}

/** A value out of a file. What is in a container is not looked at: it may be itself, or the same a billion times. */
export const shown = (value: unknown): string =>
  typeof value === 'object' && value !== null ? 'a container' : printable(String(value));
