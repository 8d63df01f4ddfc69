/**
 * Files of `torch.save`, read without executing anything: a pickle of containers that names tensors, and the bytes of
 * their storages. Three generations are in use (torch/serialization.py has the code that reads each):
 *
 * * zip (since 1.6): `NAME/data.pkl`, one entry `NAME/data/KEY` a storage, and since 2.1 `NAME/byteorder`;
 * * a stream (0.1.10 to 1.5, or by choice): pickles of a magic number, a version, the writer's machine, the object, and
 * the keys of
 *   the storages, which follow in that order, each after its length;
 * * tar (before): `storages`, `tensors` and `pickle`.
 *
 * Such a file may come from anywhere. The pickle is read by a machine that knows containers, tensors and storages,
 * passes over a few kinds of harmless objects beside them, and refuses every other name; shapes, strides and offsets
 * are checked against the storage, and the storage against the file; tensors stay views until someone asks for their
 * elements, and none has more elements than its storage.
 */
import { Constructor, readPickle, Skipped, Tuple } from './pickle.ts';
import type { Dtype } from './safetensors.ts';
import { isTar, readTar } from './tar.ts';
import type { FileTensor, TensorFile } from './file-tensor.ts';
import { BoundedError, printable } from './untrusted.ts';
import { isZip, readZipDirectory, readZipEntry, type Fail } from './zip.ts';

/**
 * A file that is not what torch.save writes, or that asks for more than tensors. The message names the file and the
 * place.
 */
export class PyTorchFileError extends BoundedError {
  override readonly name = 'PyTorchFileError';

  constructor(
    readonly fileName: string,
    problem: string,
  ) {
    super(`${fileName}: ${problem}`);
  }
}

const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;
const STREAM_VERSION = 1001;
/** How the stream begins, by pickle protocol: the protocol's number, then an integer or (since protocol 4) a frame. */
const STREAM_STARTS = [
  [0x80, 2, 0x8a, 10],
  [0x80, 3, 0x8a, 10],
  [0x80, 4, 0x95, 14],
  [0x80, 5, 0x95, 14],
];

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
const MOST_DIMENSIONS = 32;
/**
 * Containers in containers: a checkpoint has its state dict at the second level, an optimiser its moments at the
 * fourth.
 */
const DEEPEST_CONTAINER = 8;
const LONGEST_NAME = 512;
/** Characters of all names together. A ResNet50 with Adam's moments has 50,000. */
const LONGEST_NAMES = 2 ** 23;

/** Whether bytes begin as one of the three kinds of file does. */
export function isPyTorchFile(bytes: Uint8Array): boolean {
  return (
    isZip(bytes) || isTar(bytes) || STREAM_STARTS.some((start) => start.every((byte, index) => bytes[index] === byte))
  );
}

/**
 * Reads a file of torch.save.
 * @param bytes the whole file; tensors stay views of it, except where the zip is deflated
 * @throws PyTorchFileError for anything that is not sound, and for every Python object but tensors and plain containers
 */
export async function parsePyTorchFile(bytes: Uint8Array, fileName: string): Promise<TensorFile> {
  const fail: Fail = (problem) => {
    throw new PyTorchFileError(fileName, problem);
  };
  if (isZip(bytes)) return { format: 'PyTorch, zip', ...(await readZipFile(bytes, fail)) };
  if (isTar(bytes)) return { format: 'PyTorch, tar', ...readTarFile(bytes, fail) };
  return { format: 'PyTorch, stream', ...readStream(bytes, fail) };
}

type Contents = Pick<TensorFile, 'tensors' | 'metadata'>;

/** A storage that a pickle speaks of. Its bytes may come later. */
class Storage {
  bytes: Uint8Array | undefined;
  bigEndian = false;

  constructor(
    readonly key: string,
    readonly element: ElementType,
    readonly count: number,
  ) {}
}

/** A part of a storage, which is how old files keep storages that share memory. */
interface StoragePart {
  readonly storage: Storage;
  readonly offset: number;
  readonly count: number;
}

class StoredTensor {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

class ElementType {
  constructor(
    readonly dtype: Dtype,
    readonly bytes: number,
  ) {}
}

// The three kinds of file.

async function readZipFile(bytes: Uint8Array, fail: Fail): Promise<Contents> {
  const entries = readZipDirectory(bytes, fail);
  const pickles = [...entries.keys()].filter((name) => /^[^/]*\/data\.pkl$/.test(name));
  if (pickles.length !== 1) return fail('a ZIP archive, but none of torch.save: it must hold one NAME/data.pkl');
  const root = pickles[0].slice(0, -'data.pkl'.length);
  const read = async (
    name: string,
  ): Promise<{ readonly bytes: Uint8Array; readonly start: number | undefined } | undefined> => {
    const entry = entries.get(root + name);
    return entry && { bytes: await readZipEntry(bytes, entry, fail), start: entry.deflated ? undefined : entry.start };
  };
  const pickle = (await read('data.pkl')) as NonNullable<Awaited<ReturnType<typeof read>>>;
  const order = new TextDecoder().decode((await read('byteorder'))?.bytes ?? new Uint8Array()) || 'little';
  if (order !== 'little' && order !== 'big')
    fail(`its byte order is ${JSON.stringify(order.slice(0, 40))}, which is neither little nor big`);

  const storages = new StorageTable();
  const { value } = readTensors(pickle.bytes, { storages, what: `${root}data.pkl`, fileStart: pickle.start, fail });
  for (const storage of storages.all) {
    const data =
      (await read(`data/${storage.key}`))?.bytes ??
      fail(`the storage ${root}data/${printable(storage.key)} is missing`);
    give(storage, data, order === 'big', fail);
  }
  return flatten(value, fail);
}

function readStream(bytes: Uint8Array, fail: Fail): Contents {
  const storages = new StorageTable();
  const stream = new PickleStream(bytes, 0, fail, storages);
  if (stream.next('magic number') !== MAGIC_NUMBER) fail('not a file of torch.save: its magic number is another');
  const version = stream.next('version');
  if (version !== STREAM_VERSION)
    fail(`it is of version ${shown(version)} of torch.save's stream; only ${STREAM_VERSION} is known`);
  // What is said of the writer's machine does not matter: storages are little-endian whatever the machine was.
  stream.next('description of the machine');
  const value = stream.next('object');
  const keys = stream.next('list of storages');
  if (!Array.isArray(keys)) return fail('the list of its storages is none');
  for (const key of keys) {
    const storage = storages.find(key) ?? fail(`the storage ${shown(key)} belongs to no tensor`);
    stream.position = takeStorage(bytes, stream.position, storage, fail);
  }
  for (const { key, bytes: data } of storages.all)
    if (data === undefined) fail(`the storage ${printable(key)} is missing`);
  return flatten(value, fail);
}

function readTarFile(bytes: Uint8Array, fail: Fail): Contents {
  const members = readTar(bytes, fail);
  const member = (name: string): { readonly start: number; readonly bytes: Uint8Array } =>
    members.get(name) ?? fail(`a tar archive, but none of torch.save: it has no member ${name}`);
  const reader = (name: string): PickleStream => new PickleStream(member(name).bytes, member(name).start, fail);

  const parts = new Map<number, StoragePart>();
  const storages = reader('storages');
  for (let left = count(storages.next('number of storages'), 'number of storages', fail); left > 0; left--) {
    const [name, , type] = tupleOf(storages.next('storage'), 3, 'a storage', fail);
    const key = count(name, 'key of a storage', fail);
    if (!(type instanceof ElementType)) return fail('the type of a storage is none');
    const length = readCount(storages.bytes, storages.position, fail);
    const storage = new Storage(String(key), type, length);
    storages.position = takeStorage(storages.bytes, storages.position, storage, fail);
    parts.set(key, { storage, offset: 0, count: length });
  }
  const views = storages.next('list of views');
  if (!Array.isArray(views)) fail('the list of views of storages is none');
  for (const view of views as unknown[]) {
    const [key, rootKey, offset, length] = tupleOf(view, 4, 'a view of a storage', fail).map((item) =>
      count(item, 'view of a storage', fail),
    );
    const root = parts.get(rootKey) ?? fail(`the storage ${rootKey} is missing`);
    parts.set(key, partOf(root.storage, root.offset + offset, length, fail));
  }

  const objects = new Map<number, StoredTensor>();
  const tensors = reader('tensors');
  for (let left = count(tensors.next('number of tensors'), 'number of tensors', fail); left > 0; left--) {
    const [key, storageKey] = tupleOf(tensors.next('tensor'), 3, 'a tensor', fail).map((item, index) =>
      index < 2 ? count(item, 'key of a tensor', fail) : 0,
    );
    const part = parts.get(storageKey) ?? fail(`the storage ${storageKey} is missing`);
    // The number of dimensions takes four bytes of eight.
    const view = new DataView(tensors.bytes.buffer, tensors.bytes.byteOffset, tensors.bytes.byteLength);
    const dimensions =
      tensors.position + 4 <= view.byteLength
        ? view.getInt32(tensors.position, true)
        : fail('the tensors are cut short');
    if (dimensions < 0 || dimensions > MOST_DIMENSIONS) fail(`a tensor has ${dimensions} dimensions`);
    const numbers = Array.from({ length: 2 * dimensions + 1 }, (_, index) =>
      readCount(tensors.bytes, tensors.position + 8 * (index + 1), fail),
    );
    tensors.position += 8 * (numbers.length + 1);
    objects.set(
      key,
      checkedTensor(
        part,
        numbers[2 * dimensions],
        numbers.slice(0, dimensions),
        numbers.slice(dimensions, 2 * dimensions),
        fail,
      ),
    );
  }

  const { start, bytes: pickle } = member('pickle');
  const persistent = (id: unknown, failHere: Fail): unknown => {
    const key = count(typeof id === 'string' ? Number(id) : id, 'key of an object', failHere);
    return objects.get(key) ?? parts.get(key) ?? failHere(`the object ${key} is missing`);
  };
  return flatten(readTensors(pickle, { what: 'pickle', fileStart: start, persistent, fail }).value, fail);
}

// Pickles of tensors.

/** Pickles that follow each other, with other bytes between them. */
class PickleStream {
  position = 0;

  constructor(
    readonly bytes: Uint8Array,
    private readonly fileStart: number,
    private readonly fail: Fail,
    private readonly storages?: StorageTable,
  ) {}

  next(what: string): unknown {
    const { value, end } = readTensors(this.bytes, {
      storages: this.storages,
      start: this.position,
      what,
      fileStart: this.fileStart,
      fail: this.fail,
    });
    this.position = end;
    return value;
  }
}

/** Storages that a pickle speaks of, each once. */
class StorageTable {
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

function readTensors(
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
function checkedTensor(
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

function partOf(storage: Storage, offset: number, length: number, fail: Fail): StoragePart {
  if (offset + length > storage.count)
    fail(
      `a view of elements ${offset} to ${offset + length} leaves the storage ${printable(storage.key)} of ${storage.count}`,
    );
  return { storage, offset, count: length };
}

const isPart = (value: unknown): value is StoragePart =>
  typeof value === 'object' && value !== null && 'storage' in value && value.storage instanceof Storage;

// Storages.

/** Reads a storage that follows its length, and returns the position after it. */
function takeStorage(bytes: Uint8Array, position: number, storage: Storage, fail: Fail): number {
  const length = readCount(bytes, position, fail);
  if (length !== storage.count)
    fail(
      `the storage ${printable(storage.key)} has ${length} elements at byte ${position}, and its tensors speak of ${storage.count}`,
    );
  const start = position + 8;
  const end = start + length * storage.element.bytes;
  if (end > bytes.length)
    fail(`cut short: the storage ${printable(storage.key)} should end at byte ${end}, and there are ${bytes.length}`);
  give(storage, bytes.subarray(start, end), false, fail);
  return end;
}

function give(storage: Storage, data: Uint8Array, bigEndian: boolean, fail: Fail): void {
  const expected = storage.count * storage.element.bytes;
  if (data.length !== expected)
    fail(
      `the storage ${printable(storage.key)} has ${data.length} bytes, and its ${storage.count} elements take ${expected}`,
    );
  storage.bytes = data;
  storage.bigEndian = bigEndian;
}

function readCount(bytes: Uint8Array, position: number, fail: Fail): number {
  if (position + 8 > bytes.length) return fail(`cut short at byte ${position}, where a number should follow`);
  return count(
    Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(position, true)),
    `number at byte ${position}`,
    fail,
  );
}

// Tensors by name.

/**
 * All tensors in containers of containers, their names the paths to them. A container that is met twice counts once.
 */
function flatten(root: unknown, fail: Fail): Contents {
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

// Values of pickles.

function count(value: unknown, what: string, fail: Fail): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? value
    : fail(`the ${what} is ${shown(value)}, where a whole number is needed`);
}

function tupleOf(value: unknown, length: number, what: string, fail: Fail): readonly unknown[] {
  return value instanceof Tuple && value.items.length === length
    ? value.items
    : fail(`${what} is no tuple of ${length}`);
}

/** A value out of a file. What is in a container is not looked at: it may be itself, or the same a billion times. */
const shown = (value: unknown): string =>
  typeof value === 'object' && value !== null ? 'a container' : printable(String(value));
