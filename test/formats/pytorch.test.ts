// Files that PyTorch wrote (test/golden/weights/generate.py), and files that nobody should have written.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { PyTorchFileError } from '../../src/formats/pytorch.ts';
import { floatsOf, parseTensorFile, TensorFileError, type TensorFile } from '../../src/formats/tensor-file.ts';
import { integerValues } from '../golden/integer-weights.ts';

const FOLDER = new URL('../golden/weights/', import.meta.url);
const file = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const parse = (name: string): Promise<TensorFile> => parseTensorFile(file(name), name);

const SHAPES = new Map([
  ['conv1.weight', [16, 3, 7, 7]],
  ['bn1.weight', [16]],
  ['bn1.bias', [16]],
  ['bn1.running_mean', [16]],
  ['bn1.running_var', [16]],
  ['layer1.0.conv1.weight', [16, 16, 1, 1]],
]);
const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
const expected = new Map(
  [...SHAPES].map(([name, shape], index) => [
    name,
    integerValues(3000 + index, elements(shape), (value) => Math.round(64 * value) / 64 + 0),
  ]),
);

function assertTensors({ tensors }: TensorFile, prefix = ''): void {
  for (const [name, shape] of SHAPES) {
    const tensor = tensors.get(prefix + name)!;
    assert.equal(tensor.shape, shape, name);
    // -0 and 0 are alike here.
    assert.equal(
      floatsOf(tensor, name).map((value) => value + 0),
      expected.get(name),
      name,
    );
  }
  const counter = tensors.get(`${prefix}bn1.num_batches_tracked`)!;
  assert.equal([counter.dtype, counter.shape.length], ['I64', 0]);
  assert.is(new DataView(counter.bytes().buffer, counter.bytes().byteOffset).getBigInt64(0, true), 7n);
}

for (const [name, format, dtype] of [
  ['zip.pth', 'PyTorch, zip', 'F32'],
  ['stream.pth', 'PyTorch, stream', 'F32'],
  ['tar.pth', 'PyTorch, tar', 'F32'],
  ['half.pth', 'PyTorch, zip', 'F16'],
  ['bfloat16.pth', 'PyTorch, zip', 'BF16'],
  ['deflated.pth', 'PyTorch, zip', 'F32'],
  ['big-endian.pth', 'PyTorch, zip', 'F32'],
  ['views.pth', 'PyTorch, zip', 'F32'],
  ['views-stream.pth', 'PyTorch, stream', 'F32'],
] as const) {
  test(`${name}: every element`, async () => {
    const parsed = await parse(name);
    assert.is(parsed.format, format);
    assert.is(parsed.tensors.get('conv1.weight')?.dtype, dtype);
    assert.is(parsed.tensors.size, SHAPES.size + 1);
    assertTensors(parsed);
  });
}

test('a checkpoint: names are paths through its containers', async () => {
  const parsed = await parse('checkpoint.pth');
  assertTensors(parsed, 'state_dict.module.');
  assert.equal(
    [...parsed.tensors.keys()].filter((name) => !name.startsWith('state_dict.')),
    ['optimizer.state.0.momentum_buffer'],
  );
});

test('tensors of a stored zip are views of the file, and of a view each element is read once', async () => {
  const bytes = file('zip.pth');
  const { tensors } = await parseTensorFile(bytes, 'zip.pth');
  assert.ok([...tensors.values()].every((tensor) => tensor.bytes().buffer === bytes.buffer));
});

for (const [name, object] of [
  ['hostile.pth', 'posix.system'],
  ['hostile-stream.pth', 'posix.system'],
  ['module.pth', 'torch.nn.modules.conv.Conv2d'],
] as const) {
  test(`${name}: ${object} is refused by name and place, and not called`, async () => {
    const error = await errorOf(file(name));
    assert.match(error.message, object);
    const offset = Number(/byte (\d+) of the file/.exec(error.message)?.[1]);
    // The byte is that of the operation c, which the name follows.
    const [module, callable] = [object.slice(0, object.lastIndexOf('.')), object.slice(object.lastIndexOf('.') + 1)];
    assert.is(
      Buffer.from(file(name).subarray(offset)).toString('latin1', 0, object.length + 2),
      `c${module}\n${callable}\n`.slice(0, object.length + 2),
    );
    assert.not.ok(existsSync('/tmp/sketchgrad-was-here'));
  });
}

async function errorOf(bytes: Uint8Array): Promise<Error> {
  try {
    await parseTensorFile(bytes, 'file.pth');
  } catch (error) {
    return error as Error;
  }
  throw new Error('a hostile file was accepted');
}

// Pickles by hand, in the stream format: magic number, version, machine, object, storages.
const ascii = (text: string): number[] => [...text].map((character) => character.charCodeAt(0));
const u32 = (value: number): number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];
const short = (text: string): number[] => [ascii('U')[0], text.length, ...ascii(text)];
const global = (name: string): number[] =>
  ascii(`c${name.slice(0, name.lastIndexOf('.'))}\n${name.slice(name.lastIndexOf('.') + 1)}\n`);
const integer = (value: number): number[] =>
  value >= 0 && value < 256 ? [0x4b, value] : [0x8a, 8, ...new Uint8Array(BigInt64Array.of(BigInt(value)).buffer)];
const tuple = (...items: number[][]): number[] => [0x28, ...items.flat(), 0x74];
const pickled = (...operations: number[][]): number[] => [0x80, 2, ...operations.flat(), 0x2e];
const streamOf = (object: number[], storages: number[] = pickled([0x5d])): Uint8Array =>
  Uint8Array.from([
    ...pickled([0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]),
    ...pickled(integer(1001)),
    ...pickled([0x7d]),
    ...object,
    ...storages,
  ]);

interface HandTensor {
  readonly count?: number;
  readonly written?: number;
  readonly offset?: number;
  readonly shape?: readonly number[];
  readonly strides?: readonly number[];
  readonly storage?: string;
  readonly data?: number;
}
/** A stream with one tensor of floats. */
function handTensor({
  count = 6,
  written = count,
  offset = 0,
  shape = [2, 3],
  strides = [3, 1],
  storage = 'torch.FloatStorage',
  data = 4 * written,
}: HandTensor): Uint8Array {
  const id = tuple(short('storage'), global(storage), short('0'), short('cpu'), integer(count), [0x4e]);
  const tensor = [
    ...global('torch._utils._rebuild_tensor_v2'),
    ...tuple(
      [...id, 0x51],
      integer(offset),
      tuple(...shape.map(integer)),
      tuple(...strides.map(integer)),
      [0x89],
      [0x4e],
    ),
    0x52,
  ];
  const keys = pickled([0x5d], short('0'), [0x61]);
  return streamOf(pickled([0x7d], short('w'), tensor, [0x73]), [
    ...keys,
    ...new Uint8Array(BigInt64Array.of(BigInt(written)).buffer),
    ...new Array<number>(data).fill(0),
  ]);
}

test('a tensor by hand is read', async () => {
  const { tensors } = await parseTensorFile(handTensor({}), 'file.pth');
  assert.equal(
    [...tensors].map(([name, { shape, dtype }]) => [name, shape, dtype]),
    [['w', [2, 3], 'F32']],
  );
});

for (const [what, hand, message] of [
  ['more elements than the storage', { shape: [2, 4] }, /8 elements, and its storage 6/],
  ['an offset beyond the storage', { offset: 1 }, /begins at element 1 and ends at 6/],
  ['an offset of 2^53', { offset: 2 ** 53 }, /where a whole number is needed/],
  ['strides beyond the storage', { strides: [4, 1] }, /strides \[4, 1\]/],
  ['a negative stride', { strides: [-3, 1] }, /strides of a tensor is -3/],
  ['repeated elements', { count: 1, shape: [1000, 1000], strides: [0, 0] }, /expand/],
  [
    'a shape whose product is no number',
    { shape: [2 ** 52, 2 ** 52, 2 ** 52], strides: [1, 1, 1] },
    /elements, and its storage 6/,
  ],
  ['as many strides as sizes', { strides: [1] }, /2 sizes and 1 strides/],
  ['another length of the storage', { written: 5 }, /5 elements at byte \d+, and its tensors speak of 6/],
  ['a storage that is cut short', { data: 23 }, /cut short: the storage 0/],
  ['a storage of a terabyte', { count: 2 ** 40, data: 24 }, /cut short/],
  ['a storage of complex numbers', { storage: 'torch.ComplexFloatStorage' }, /torch\.ComplexFloatStorage/],
] as const) {
  test(`a tensor with ${what} is refused`, async () => {
    const error = await errorOf(handTensor(hand));
    assert.instance(error, PyTorchFileError);
    assert.match(error.message, message);
  });
}

test('a shape with a zero needs no storage', async () => {
  const { tensors } = await parseTensorFile(
    handTensor({ count: 0, shape: [0, 2 ** 52, 2 ** 52], strides: [1, 1, 1] }),
    'file.pth',
  );
  assert.is(tensors.get('w')?.bytes().length, 0);
});

for (const [what, object, message] of [
  ['a call of what a pickle made', pickled(short('x'), [0x29, 0x52]), /calls what cannot be called/],
  ['a call of a type', pickled(global('torch.FloatStorage'), [0x29, 0x52]), /calls what cannot be called/],
  [
    'an object of a class',
    pickled(global('collections.OrderedDict'), [0x29, 0x81]),
    /makes an object of a Python class/,
  ],
  ['builtins.eval by STACK_GLOBAL', pickled(short('builtins'), short('eval'), [0x93]), /builtins\.eval/],
  ['attributes of a string', pickled(short('x'), [0x7d, 0x62]), /sets attributes of what is no dict/],
  ['an empty stack', pickled([0x30]), /empty stack/],
  ['a mark that is missing', pickled([0x74]), /no mark/],
  ['a memo that was not written', pickled([0x68, 5]), /recalls 5/],
  ['a string of 4 GB', pickled([0x58, ...u32(0xffffffff)]), /cut short: it wants 4294967295 bytes/],
  ['an integer of 200 bytes', pickled([0x8a, 200], new Array<number>(200).fill(0xff)), /integer of 200 bytes/],
  ['a name without end', pickled(ascii(`c${'a'.repeat(500)}`)), /does not end within 256 bytes/],
  ['a set', pickled([0x8f]), /has a set/],
  ['an unknown operation', pickled([0xfe]), /operation 0xfe/],
  ['a dict as key', pickled([0x7d, 0x7d, 0x4b, 1, 0x73]), /key of a dict/],
  ['no tensor at all', pickled([0x7d]), /holds no tensor/],
  ['a pickle without end', [0x80, 2, 0x7d], /is cut short/],
  ['a million lists', [0x80, 2, ...new Array<number>(2 ** 20).fill(0x5d), 0x2e], /more than 262144 steps/],
  [
    'lists in lists',
    pickled(new Array<number>(1000).fill(0x5d), new Array<number>(999).fill(0x61)),
    /more than 8 deep/,
  ],
] as const) {
  test(`a pickle with ${what} is refused`, async () => {
    const error = await errorOf(streamOf(object as number[]));
    assert.instance(error, PyTorchFileError);
    assert.match(error.message, message);
  });
}

test('lists of lists of the same lists, 10^7 in all, are met once each', async () => {
  // Each level holds ten times the one before; beside them, one tensor.
  const levels = Array.from({ length: 6 }, (_, level) => [
    0x5d,
    0x71,
    level + 1,
    0x28,
    ...new Array<number[]>(10).fill([0x68, level]).flat(),
    0x65,
  ]);
  const object = pickled([0x5d, 0x71, 0], ...levels);
  const started = process.cpuUsage();
  assert.match((await errorOf(streamOf(object))).message, /holds no tensor/);
  assert.ok(process.cpuUsage(started).user < 1e6);
});

test('a list of lists of the same lists where a name or a number should be is not looked into', async () => {
  // Ten to the sixth power of the same list, and a list of lists 10,000 deep.
  const many = [
    [0x5d, 0x71, 0],
    ...Array.from({ length: 6 }, (_, level) => [
      0x5d,
      0x71,
      level + 1,
      0x28,
      ...new Array<number[]>(10).fill([0x68, level]).flat(),
      0x65,
    ]),
  ].flat();
  const deep = [...new Array<number>(10_000).fill(0x5d), ...new Array<number>(9_999).fill(0x61)];
  for (const list of [many, deep]) {
    assert.match(
      (await errorOf(streamOf(pickled([0x7d]), pickled([0x5d], list, [0x61])))).message,
      /the storage a container belongs to no tensor/,
    );
    const id = tuple(short('storage'), global('torch.FloatStorage'), short('0'), short('cpu'), list, [0x4e]);
    assert.match((await errorOf(streamOf(pickled(id, [0x51])))).message, /length of the storage 0 is a container/);
  }
});

test('a list that contains itself ends', async () => {
  assert.match((await errorOf(streamOf(pickled([0x5d, 0x71, 0, 0x68, 0, 0x61])))).message, /holds no tensor/);
});

// What checkpoints hold beside their tensors, as torch.save pickles it (protocol 2).
const reduced = (name: string, ...args: number[][]): number[] => [...global(name), ...tuple(...args), 0x52];
const attributes = (...pairs: number[][]): number[] => [0x7d, 0x28, ...pairs.flat(), 0x75, 0x62];
const float64 = [
  ...reduced('numpy.dtype', short('f8'), [0x89], [0x88]),
  ...tuple(
    [0x4b, 3],
    short('<'),
    [0x4e],
    [0x4e],
    [0x4e],
    [0x4a, 255, 255, 255, 255],
    [0x4a, 255, 255, 255, 255],
    [0x4b, 0],
  ),
  0x62,
];
const eightBytes = reduced('_codecs.encode', short('12345678'), short('latin1'));
const device = reduced('torch.device', short('cuda'), [0x4b, 0]);
const BESIDE = {
  'an argparse.Namespace': [
    ...global('argparse.Namespace'),
    0x29,
    0x81,
    ...attributes(short('lr'), [0x4b, 1], short('device'), device, short('type'), global('torch.float32')),
  ],
  "numpy's scalar": reduced('numpy.core.multiarray.scalar', float64, eightBytes),
  "numpy 2's scalar": reduced('numpy._core.multiarray.scalar', float64, eightBytes),
  "numpy's array": [
    ...reduced('numpy.core.multiarray._reconstruct', global('numpy.ndarray'), tuple([0x4b, 0]), short('b')),
    ...tuple([0x4b, 1], tuple([0x4b, 1]), float64, [0x89], eightBytes),
    0x62,
  ],
  'a torch.device': device,
  'a path': reduced('pathlib.PosixPath', short('/'), short('data')),
  'a defaultdict': [
    ...reduced('collections.defaultdict', global('__builtin__.list')),
    0x28,
    ...short('a'),
    0x4b,
    1,
    0x75,
  ],
  'an object of Python 2': [
    ...reduced('copy_reg._reconstructor', global('argparse.Namespace'), global('__builtin__.object'), [0x4e]),
    ...attributes(short('lr'), [0x4b, 1]),
  ],
} as const;
for (const [what, object] of Object.entries(BESIDE)) {
  test(`${what} beside the tensors is skipped`, async () => {
    const id = tuple(short('storage'), global('torch.FloatStorage'), short('0'), short('cpu'), integer(2), [0x4e]);
    const tensor = reduced(
      'torch._utils._rebuild_tensor_v2',
      [...id, 0x51],
      integer(0),
      tuple(integer(2)),
      tuple(integer(1)),
      [0x89],
      [0x4e],
    );
    const state = pickled([0x7d, 0x28], short('beside'), [...object], short('w'), tensor, [0x75]);
    const { tensors } = await parseTensorFile(
      streamOf(state, [
        ...pickled([0x5d], short('0'), [0x61]),
        ...new Uint8Array(BigInt64Array.of(2n).buffer),
        ...new Uint8Array(Float32Array.of(3, 4).buffer),
      ]),
      'file.pth',
    );
    assert.equal(
      [...tensors].map(([name, one]) => [name, [...floatsOf(one, name)]]),
      [['w', [3, 4]]],
    );
  });
}

test('what is skipped is no way to anything else: its calls give nothing that can be called', async () => {
  // torch.device("x")("y") is skipped too; what it hides is refused by name.
  assert.match((await errorOf(streamOf(pickled(device, tuple(short('y')), [0x52])))).message, /holds no tensor/);
  assert.match(
    (await errorOf(streamOf(pickled(global('argparse.Namespace'), reduced('posix.system', short('true')), [0x81]))))
      .message,
    /posix\.system/,
  );
  assert.match((await errorOf(streamOf(pickled(global('numpy.load'), [0x29, 0x52])))).message, /numpy\.load/);
});

test('calls are charged for the elements that they walk over', async () => {
  // 30,000 times OrderedDict of one list of 1,000 pairs: 30 million items from 200 KB.
  const pairs = [
    0x5d,
    0x71,
    0,
    0x28,
    ...new Array<number[]>(1000).fill([...short('a'), 0x4b, 1, 0x86]).flat(),
    0x65,
    0x30,
  ];
  const calls = new Array<number[]>(30_000)
    .fill([...global('collections.OrderedDict'), 0x68, 0, 0x85, 0x52, 0x30])
    .flat();
  const started = process.cpuUsage();
  assert.match((await errorOf(streamOf([0x80, 2, ...pairs, ...calls, 0x7d, 0x2e]))).message, /more than 262144 steps/);
  assert.ok(process.cpuUsage(started).user < 2e6);
});

test('names are bounded all together', async () => {
  const id = tuple(short('storage'), global('torch.FloatStorage'), short('0'), short('cpu'), integer(0), [0x4e]);
  const tensor = [
    ...reduced(
      'torch._utils._rebuild_tensor_v2',
      [...id, 0x51],
      integer(0),
      tuple(integer(0)),
      tuple(integer(1)),
      [0x89],
      [0x4e],
    ),
    0x71,
    0,
    0x30,
  ];
  // A list of 40,000 times one tensor, under a name of 250 letters.
  const list = [0x5d, 0x28, ...new Array<number[]>(40_000).fill([0x68, 0]).flat(), 0x65];
  assert.match(
    (
      await errorOf(
        streamOf(pickled(tensor, [0x7d], short('a'.repeat(250)), list, [0x73]), [
          ...pickled([0x5d], short('0'), [0x61]),
          ...new Uint8Array(8),
        ]),
      )
    ).message,
    /names of its tensors have more than 8388608 characters/,
  );
});

test('__proto__ is a name like any other', async () => {
  const bytes = handTensor({});
  const at = Buffer.from(bytes).indexOf(Buffer.from([0x55, 1, 0x77]));
  const renamed = Uint8Array.from([...bytes.subarray(0, at), ...short('__proto__'), ...bytes.subarray(at + 3)]);
  const { tensors } = await parseTensorFile(renamed, 'file.pth');
  assert.equal([...tensors.keys()], ['__proto__']);
});

// Archives.

const END = 22;
const edited = (bytes: Uint8Array, edit: (view: DataView, end: number) => void): Uint8Array => {
  const copy = bytes.slice();
  edit(new DataView(copy.buffer), copy.length - END);
  return copy;
};
/** Where the directory's entry of a name begins. */
const directoryEntry = (bytes: Uint8Array, name: string): number => Buffer.from(bytes).lastIndexOf(name) - 46;

test('a zip that inflates to more than it declares ends there', async () => {
  const bytes = file('deflated.pth');
  const entry = directoryEntry(bytes, 'archive/data/0');
  const less = edited(bytes, (view) => view.setUint32(entry + 24, 1000, true));
  assert.match((await errorOf(less)).message, /damaged|inflates to more/);
});

test('a zip that declares gigabytes is refused before anything is inflated', async () => {
  const bytes = file('deflated.pth');
  const entry = directoryEntry(bytes, 'archive/data/0');
  const bomb = edited(bytes, (view) => view.setUint32(entry + 24, 2 ** 31, true));
  assert.match((await errorOf(bomb)).message, /more than 32 times the file's/);
});

test('a deflated entry must have the checksum that the directory gives', async () => {
  const bytes = file('deflated.pth');
  const at = directoryEntry(bytes, 'archive/data/0') + 16;
  const other = edited(bytes, (view) => view.setUint32(at, view.getUint32(at, true) ^ 1, true));
  assert.match((await errorOf(other)).message, /archive\/data\/0" is damaged/);
});

for (const [what, edit, message] of [
  ['encrypted', (view: DataView, entry: number) => view.setUint16(entry + 8, 1, true), /is encrypted/],
  [
    'compressed by another method',
    (view: DataView, entry: number) => view.setUint16(entry + 10, 12, true),
    /method 12/,
  ],
  [
    'said to begin elsewhere',
    (view: DataView, entry: number) => view.setUint32(entry + 42, 5, true),
    /should begin at byte 5/,
  ],
  [
    'said to begin after the end',
    (view: DataView, entry: number) => view.setUint32(entry + 42, 2 ** 31, true),
    /should begin at byte 2147483648/,
  ],
  [
    'larger than the archive',
    (view: DataView, entry: number) => view.setUint32(entry + 20, 2 ** 30, true),
    /reaches into the ZIP directory/,
  ],
] as const) {
  test(`a zip with an entry ${what} is refused`, async () => {
    const bytes = file('deflated.pth');
    const entry = directoryEntry(bytes, 'archive/data/0');
    assert.match((await errorOf(edited(bytes, (view) => edit(view, entry)))).message, message);
  });
}

test('a zip whose storage is missing names it', async () => {
  const bytes = file('big-endian.pth');
  const renamed = edited(bytes, (view) =>
    view.setUint8(directoryEntry(bytes, 'archive/data/3') + 46 + 'archive/data/'.length, 0x7a),
  );
  assert.match((await errorOf(renamed)).message, /the storage archive\/data\/3 is missing/);
});

test('what is no file of tensors is told by its beginning', async () => {
  const page = new TextEncoder().encode('<!DOCTYPE html><html>not found</html>');
  const error = await errorOf(page);
  assert.instance(error, TensorFileError);
  assert.match(error.message, 'it begins with "<!DOCTYPE html><');
});

// Whatever is done to a file, it is read or it is an error of ours; and soon.

for (const name of readdirSync(FOLDER).filter((entry) => entry.endsWith('.pth'))) {
  test(`${name}, cut at any byte, is refused`, async () => {
    const bytes = file(name);
    for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 200)) {
      const error = await parseTensorFile(bytes.subarray(0, length), name).then(
        () => undefined,
        (problem: unknown) => problem as Error,
      );
      // A tar's last blocks are padding.
      if (error === undefined)
        assert.ok(name === 'tar.pth' && length > 12_000, `${name} of ${length} bytes was accepted`);
      else
        assert.match(
          error.name,
          /^(PyTorchFileError|TensorFileError|SafetensorsError)$/,
          `${length} bytes: ${error.stack}`,
        );
    }
  });

  test(`${name}, with bytes changed at random, is read or refused`, async () => {
    const bytes = file(name);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const copy = bytes.slice();
          for (const [at, value] of changes) copy[at] = value;
          try {
            const { tensors } = await parseTensorFile(copy, name);
            for (const tensor of tensors.values()) tensor.bytes();
          } catch (error) {
            assert.match(
              (error as Error).name,
              /^(PyTorchFileError|TensorFileError|SafetensorsError)$/,
              (error as Error).stack,
            );
          }
        },
      ),
      { numRuns: 100, seed: 1 },
    );
  });
}

test.run();
