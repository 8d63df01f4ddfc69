/**
 * The tensors of a pickle of torch.save: storages, views of them, and the few Python objects that may stand beside them.
 * What a pickle may name, and why nothing of it is executed, is told in pytorch.ts.
 */
import { Constructor, readPickle, Skipped, Tuple } from './pickle.ts';
import type { Dtype } from './safetensors.ts';
import type { FileTensor, TensorFile } from './file-tensor.ts';
import { printable } from './untrusted.ts';
import { type Fail } from './zip.ts';

/** Of an element: type and size, by the name before `Storage` and, in the oldest files, `Tensor`. */
const ELEMENTS: Readonly<Record<string, { readonly dtype: Dtype; readonly bytes: number }>> = {
  Float: { dtype: 'F32', bytes: 4 },
  Double: { dtype: 'F64', bytes: 8 },
  Half: { dtype: 'F16', bytes: 2 },
  BFloat16: { dtype: 'BF16', bytes: 2 },
  Long: { dtype: 'I64', bytes: 8 },
  Int: { dtype: 'I32', bytes: 4 },
  Short: { dtype: 'I16', bytes: 2 },
  Char: { dtype: 'I8', bytes: 1 },
  Byte: { dtype: 'U8', bytes: 1 },
  Bool: { dtype: 'BOOL', bytes: 1 },
};

/** Above any real tensor's. */
export const MOST_DIMENSIONS = 32;
/**
 * Containers in containers: a checkpoint has its state dict at the second level, an optimiser its moments at the
 * fourth.
 */
const DEEPEST_CONTAINER = 8;
const LONGEST_NAME = 512;
/** Characters of all names together. A ResNet50 with Adam's moments has 50,000. */
const LONGEST_NAMES = 2 ** 23;

export type Contents = Pick<TensorFile, 'tensors' | 'metadata'>;

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

interface TensorPickle {
  readonly start?: number;
  /** What is read, for messages. */
  readonly what: string;
  /** Where the pickle's bytes lie in the file; undefined where they were inflated. */
  readonly fileStart: number | undefined;
  readonly storages?: StorageTable;
  readonly persistent?: (id: unknown, fail: Fail) => unknown;
  readonly fail: Fail;
}

export function readTensors(
  bytes: Uint8Array,
  { start, what, fileStart, storages, persistent = storages?.persistent, fail }: TensorPickle,
): { readonly value: unknown; readonly end: number } {
  return readPickle(bytes, {
    start,
    global: standsFor,
    persistent: persistent ?? ((_id, failHere) => failHere('it speaks of what is stored elsewhere, and must not')),
    fail: (problem, at) =>
      fail(
        `${problem} (${what}, ${fileStart === undefined ? `its byte ${at}` : `byte ${fileStart + at} of the file`})`,
      ),
  });
}

const ELEMENT_TYPES = new Map(
  Object.entries(ELEMENTS).map(([name, { dtype, bytes }]) => [name, new ElementType(dtype, bytes)]),
);

/** The functions that a pickle of tensors calls, and what they make here. */
const CALLABLE: ReadonlyMap<string, Constructor> = new Map(
  Object.entries<Constructor['call']>({
    'collections.OrderedDict': orderedDict,
    'collections.defaultdict': () => new Map(),
    'torch.Size': ([sizes]) => sizes,
    'torch._utils._rebuild_tensor': rebuiltTensor,
    'torch._utils._rebuild_tensor_v2': rebuiltTensor,
    'torch._utils._rebuild_parameter': rebuiltParameter,
    'torch._utils._rebuild_parameter_with_state': rebuiltParameter,
    // A tensor with attributes: the function and the arguments that make it, between them its class.
    'torch._tensor._rebuild_from_type_v2': ([make, , args], fail, charge) =>
      make instanceof Constructor && make.name.startsWith('torch._utils.') && args instanceof Tuple
        ? make.call(args.items, fail, charge)
        : fail('a tensor with attributes is none'),
  }).map(([name, call]) => [name, new Constructor(name, call)]),
);

/**
 * Names of what checkpoints hold beside their tensors: the arguments of a training, numpy's scalars and arrays, devices
 * and types, paths, times. Nothing of it is made or looked up. A name is here only if what it stands for in Python
 * cannot do harm, so that a file that was read here is not mistaken for a safe one.
 */
const SKIPPED: readonly RegExp[] = [
  /^argparse\.Namespace$/,
  /^types\.SimpleNamespace$/,
  /^easydict\.EasyDict$/,
  /^yacs\.config\.CfgNode$/,
  /^numpy\.(?:dtype|ndarray|bool_?|(?:u?int|float|complex)\d+)$/,
  /^numpy\._?core\.multiarray\.(?:scalar|_reconstruct)$/,
  /^numpy\._?core\.numeric\._frombuffer$/,
  /^torch\.(?:device|Tensor|nn\.parameter\.Parameter|serialization\._get_layout)$/,
  /^torch\.(?:bfloat16|(?:u?int|float|complex)\d+|bool|double|float|half|int|long|short)$/,
  /^pathlib\.(?:Pure)?(?:Posix|Windows)?Path$/,
  /^datetime\.(?:datetime|date|time|timedelta)$/,
  /^collections\.(?:Counter|deque)$/,
  /^_codecs\.encode$/,
  /^(?:builtins|__builtin__)\.(?:object|bool|int|long|float|complex|str|unicode|bytes|bytearray|list|tuple|dict|set|frozenset|slice|range)$/,
  /^copy_?reg\._reconstructor$/,
];

/** What a global stands for: a name of these short lists, or nothing. */
function standsFor(name: string): Constructor | ElementType | Skipped | undefined {
  const [, type] = /^torch\.(?:cuda\.)?([A-Z][A-Za-z0-9]+?)(?:Storage|Tensor)$/.exec(name) ?? [];
  return (
    CALLABLE.get(name) ??
    ELEMENT_TYPES.get(type ?? '') ??
    (SKIPPED.some((pattern) => pattern.test(name)) ? new Skipped(name) : undefined)
  );
}

function rebuiltParameter([tensor]: readonly unknown[], fail: Fail): StoredTensor {
  return tensor instanceof StoredTensor ? tensor : fail('a parameter is no tensor');
}

/** Python 3 sets the items afterwards; Python 2 gives them as a list of pairs. */
function orderedDict(
  [pairs]: readonly unknown[],
  fail: Fail,
  charge: (elements: number) => void,
): Map<unknown, unknown> {
  const dict = new Map<unknown, unknown>();
  if (Array.isArray(pairs)) charge(pairs.length);
  for (const pair of Array.isArray(pairs) ? (pairs as unknown[]) : []) {
    const items = pair instanceof Tuple ? pair.items : pair;
    if (!Array.isArray(items) || items.length !== 2 || (typeof items[0] !== 'string' && typeof items[0] !== 'number'))
      return fail('an item of an OrderedDict is no pair of a name and a value');
    dict.set(items[0], items[1]);
  }
  return dict;
}

function rebuiltTensor([part, offset, shape, strides]: readonly unknown[], fail: Fail): StoredTensor {
  if (!isPart(part)) return fail('a tensor has no storage');
  const numbers = (value: unknown, what: string): number[] => {
    const items =
      value instanceof Tuple
        ? value.items
        : Array.isArray(value)
          ? (value as readonly unknown[])
          : fail(`the ${what} of a tensor is no tuple`);
    if (items.length > MOST_DIMENSIONS) fail(`the ${what} of a tensor has ${items.length} numbers`);
    return items.map((item) => count(item, `${what} of a tensor`, fail));
  };
  return checkedTensor(
    part,
    count(offset, 'offset of a tensor', fail),
    numbers(shape, 'shape'),
    numbers(strides, 'strides'),
    fail,
  );
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

const isPart = (value: unknown): value is StoragePart =>
  typeof value === 'object' && value !== null && 'storage' in value && value.storage instanceof Storage;

/**
 * All tensors in containers of containers, their names the paths to them. A container that is met twice counts once.
 */
export function flatten(root: unknown, fail: Fail): Contents {
  const tensors = new Map<string, FileTensor>();
  const met = new Set<unknown>();
  let characters = 0;
  const visit = (value: unknown, name: string, depth: number): void => {
    if (value instanceof StoredTensor) {
      if (tensors.has(name)) fail(`two tensors are called ${printable(name)}`);
      characters += name.length;
      if (characters > LONGEST_NAMES) fail(`the names of its tensors have more than ${LONGEST_NAMES} characters`);
      tensors.set(name, fileTensor(value));
      return;
    }
    const items =
      value instanceof Map
        ? value.entries()
        : value instanceof Tuple
          ? value.items.entries()
          : Array.isArray(value)
            ? value.entries()
            : undefined;
    if (items === undefined || met.has(value)) return;
    met.add(value);
    if (depth === DEEPEST_CONTAINER)
      return fail(`${printable(name)} holds containers in containers, more than ${DEEPEST_CONTAINER} deep`);
    for (const [key, item] of items as Iterable<[unknown, unknown]>) {
      // Numbers, strings and None beside the weights, such as an epoch, are nobody's concern here.
      if (typeof item !== 'object' || item === null) continue;
      const inner = name === '' ? String(key) : `${name}.${String(key)}`;
      if (inner.length > LONGEST_NAME) fail(`the name ${printable(inner)} is longer than ${LONGEST_NAME} characters`);
      visit(item, inner, depth + 1);
    }
  };
  visit(root, '', 0);
  if (tensors.size === 0) fail('it holds no tensor');
  return { tensors, metadata: new Map() };
}

function fileTensor({ storage, offset, shape, strides }: StoredTensor): FileTensor {
  const { dtype, bytes: width } = storage.element;
  const length = elementsOf(shape);
  const bytes = (): Uint8Array => {
    const data = storage.bytes as Uint8Array;
    const rowMajor = isRowMajor(shape, strides);
    if (rowMajor && !storage.bigEndian) return data.subarray(offset * width, (offset + length) * width);
    const result = new Uint8Array(length * width);
    const index = shape.map(() => 0);
    let element = offset;
    for (let to = 0; to < length; to++) {
      for (let byte = 0; byte < width; byte++)
        result[to * width + byte] = data[element * width + (storage.bigEndian ? width - 1 - byte : byte)];
      // The next index, as an odometer counts.
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        element += strides[axis];
        if (++index[axis] < shape[axis]) break;
        element -= shape[axis] * strides[axis];
        index[axis] = 0;
      }
    }
    return result;
  };
  return { dtype, shape, bytes };
}

/** Without 0 times infinity. */
const elementsOf = (shape: readonly number[]): number =>
  shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);

/** Strides of axes of one element do not matter. */
function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

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
