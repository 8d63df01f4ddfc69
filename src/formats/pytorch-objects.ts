/**
 * What a pickle of torch.save may name: the functions that make tensors, their element types, and the few Python objects
 * that may be stored beside them. Why nothing of it is executed is told in pytorch.ts.
 */
import { Constructor, Skipped, Tuple } from './pickle-machine.ts';
import { readPickle } from './pickle.ts';
import {
  checkedTensor,
  count,
  ElementType,
  MOST_DIMENSIONS,
  Storage,
  StoredTensor,
  type StoragePart,
  type StorageTable,
} from './pytorch-storages.ts';
import type { Dtype } from './safetensors.ts';
import { type Fail } from './zip.ts';

/** Type and size of an element, by the name before `Storage` and, in the oldest files, `Tensor`. */
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

/** Reads a pickle of tensors. */
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

const isPart = (value: unknown): value is StoragePart =>
  typeof value === 'object' && value !== null && 'storage' in value && value.storage instanceof Storage;
