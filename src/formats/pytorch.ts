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
import { isTar, readTar } from './tar.ts';
import type { TensorFile } from './file-tensor.ts';
import { BoundedError, printable } from './untrusted.ts';
import { isZip, readZipDirectory, readZipEntry, type Fail } from './zip.ts';
import { readTensors } from './pytorch-objects.ts';
import {
  checkedTensor,
  count,
  ElementType,
  MOST_DIMENSIONS,
  partOf,
  shown,
  Storage,
  StorageTable,
  tupleOf,
  type StoragePart,
  type StoredTensor,
} from './pytorch-storages.ts';
import { flatten, type Contents } from './pytorch-tensors.ts';

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
