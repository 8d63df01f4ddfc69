import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { parseSafetensors, SafetensorsError, toFloat32 } from '../../src/formats/safetensors.ts';
import { serializeSafetensors, type TensorToStore } from '../../src/formats/safetensors-writer.ts';

/** A file with the header given as text, and `dataLength` bytes of data. */
function fileOf(header: string | Uint8Array, dataLength: number, declaredLength?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + json.length + dataLength);
  new DataView(file.buffer).setBigUint64(0, declaredLength ?? BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

function errorOf(file: Uint8Array): SafetensorsError {
  try {
    parseSafetensors(file, 'weights.safetensors');
  } catch (error) {
    assert.instance(error, SafetensorsError);
    return error as SafetensorsError;
  }
  throw new Error('a hostile file was accepted');
}

const valid =
  '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[],"data_offsets":[8,9]}}';

test('a file as others write it', () => {
  const bytes = fileOf(
    '{"__metadata__":{"format":"pt"}, "w" : {"data_offsets":[0,8],"shape":[1,2],"dtype":"F32"},"n":{"dtype":"I64","shape":[],"data_offsets":[8,16]}}   ',
    16,
  );
  bytes.set(new Uint8Array(new Float32Array([1.5, -2]).buffer), bytes.length - 16);
  const { tensors, metadata } = parseSafetensors(bytes);
  assert.equal([...metadata], [['format', 'pt']]);
  assert.equal([...tensors.keys()], ['w', 'n']);
  assert.equal(tensors.get('w')!.shape, [1, 2]);
  assert.equal([...toFloat32(tensors.get('w')!)], [1.5, -2]);
  assert.is(tensors.get('w')!.bytes.buffer, bytes.buffer, 'a view, no copy');
  assert.throws(
    () => toFloat32(tensors.get('n')!, 'n'),
    (error: Error) => error instanceof SafetensorsError && /n: .*I64/.test(error.message),
  );
});

test('half-precision tensors become floats', () => {
  const file = parseSafetensors(
    serializeSafetensors([
      ['half', { dtype: 'F16', shape: [3], data: new Float32Array([1 / 3, 1e6, -1e-7]) }],
      ['brain', { dtype: 'BF16', shape: [2], data: new Float32Array([1 / 3, -1.5 * 2 ** 100]) }],
      ['raw', { dtype: 'F16', shape: [1], data: new Uint16Array([0x3c00]) }],
    ]),
  );
  assert.equal([...toFloat32(file.tensors.get('half')!)], [0.333251953125, Infinity, -(2 ** -23)]);
  assert.equal([...toFloat32(file.tensors.get('brain')!)], [0.333984375, -1.5 * 2 ** 100]);
  assert.equal([...toFloat32(file.tensors.get('raw')!)], [1]);
});

test('what is written does not depend on the order, and is aligned', () => {
  const a: [string, TensorToStore] = ['a', { dtype: 'U8', shape: [3], data: new Uint8Array([1, 2, 3]) }];
  const b: [string, TensorToStore] = ['b', { dtype: 'F32', shape: [1, 1], data: new Float32Array([4]) }];
  const c: [string, TensorToStore] = ['c', { dtype: 'I64', shape: [1], data: new BigInt64Array([5n]) }];
  const one = serializeSafetensors(
    [a, b, c],
    [
      ['x', '1'],
      ['y', '2'],
    ],
  );
  const other = serializeSafetensors(
    [c, b, a],
    new Map([
      ['y', '2'],
      ['x', '1'],
    ]),
  );
  assert.equal(one, other);
  const { tensors } = parseSafetensors(one);
  assert.equal([...tensors.keys()], ['c', 'b', 'a']);
  assert.is(tensors.get('c')!.bytes.byteOffset % 8, 0);
  assert.is(tensors.get('b')!.bytes.byteOffset % 4, 0);
});

test('nothing unsound is written', () => {
  const tensor = (shape: number[], length: number): TensorToStore => ({
    dtype: 'F32',
    shape,
    data: new Float32Array(length),
  });
  assert.throws(
    () => serializeSafetensors([['w', tensor([2, 3], 5)]]),
    /"w": F32 \[2, 3\] takes 24 bytes, its data has 20/,
  );
  assert.throws(() => serializeSafetensors([['w', tensor([-1, -2], 2)]]), /no possible number/);
  assert.throws(() => serializeSafetensors([['w', tensor([0.5, 2], 1)]]), /no possible number/);
  assert.throws(
    () =>
      serializeSafetensors([
        ['w', tensor([1], 1)],
        ['w', tensor([1], 1)],
      ]),
    /two tensors are called "w"/,
  );
  assert.throws(() => serializeSafetensors([['__metadata__', tensor([1], 1)]]), /cannot name a tensor/);
});

test('names that mean something to JavaScript are names like others', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', ' ', 'ä\n"\\', '\ud800'];
  const file = serializeSafetensors(
    names.map((name, i) => [name, { dtype: 'U8', shape: [], data: new Uint8Array([i]) }]),
    names.map((name) => [name, name]),
  );
  const { tensors, metadata } = parseSafetensors(file);
  names.forEach((name, i) => {
    assert.is(tensors.get(name)!.bytes[0], i);
    assert.is(metadata.get(name), name);
  });
  assert.is(Object.getOwnPropertyNames(Object.prototype).includes('dtype'), false);
});

test('a hostile file gives an error that names the file and the place', () => {
  const one = (entry: string): string => `{"t":{${entry}}}`;
  const tensor = (dtype: string, shape: string, offsets: string): string =>
    one(`"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}`);
  const f32 = (shape: string, offsets = '[0,8]'): string => tensor('"F32"', shape, offsets);
  const two = (first: string, second: string): string =>
    `{"p":{"dtype":"U8","shape":[4],"data_offsets":${first}},"q":{"dtype":"U8","shape":[4],"data_offsets":${second}}}`;

  const corpus: [what: string, file: Uint8Array, message: RegExp][] = [
    ['empty', new Uint8Array(0), /has 0 bytes/],
    ['seven bytes', new Uint8Array(7), /has 7 bytes/],
    ['no header', new Uint8Array(8), /must start with \{/],
    ['header beyond the file', fileOf(valid, 9, 1000n), /should end at byte 1008, the file ends at byte/],
    ['header of 2^64 - 1 bytes', fileOf(valid, 9, 2n ** 64n - 1n), /declare a header of 18446744073709551615 bytes/],
    ['header over the limit', fileOf(valid, 9, 100_000_001n), /more than the 100000000 allowed/],
    ['not UTF-8', fileOf(new Uint8Array([0x7b, 0x22, 0xff, 0x22]), 0), /not UTF-8/],
    ['byte order mark', fileOf('\ufeff{}', 0), /must start with \{ \(byte 8\)/],
    ['a blank first', fileOf(' {}', 0), /must start with \{/],
    ['an array', fileOf('[]', 0), /must start with \{/],
    ['zeros after the object', fileOf('{}\0\0', 0), /goes on after its object \(byte 10\)/],
    ['two objects', fileOf('{}{}', 0), /goes on after its object/],
    ['unclosed', fileOf('{', 0), /a string was expected/],
    ['unclosed string', fileOf('{"a', 0), /a string is broken/],
    ['escape at the end', fileOf('{"a\\', 0), /a string is broken/],
    ['unknown escape', fileOf('{"\\x41":1}', 0), /a string is broken/],
    ['raw line break in a name', fileOf('{"a\n":1}', 0), /a string is broken/],
    ['trailing comma', fileOf('{"__metadata__":{},}', 0), /a string was expected \(byte 27\)/],
    ['deep nesting', fileOf('{"t":' + '['.repeat(200_000), 0), /\{ was expected/],
    ['deep nesting in a shape', fileOf(f32('['.repeat(200_000)), 8), /is not an integer/],
    [
      'duplicate tensor',
      fileOf(
        `{"t":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`,
        1,
      ),
      /"t" twice/,
    ],
    [
      'duplicate by escape',
      fileOf(
        `{"t":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"\\u0074":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`,
        1,
      ),
      /"t" twice/,
    ],
    [
      'duplicate __proto__',
      fileOf(
        `{"__proto__":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"__proto__":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`,
        1,
      ),
      /"__proto__" twice/,
    ],
    [
      'duplicate field',
      fileOf(one('"dtype":"U8","dtype":"F32","shape":[],"data_offsets":[0,4]'), 4),
      /tensor "t" has the key "dtype" twice/,
    ],
    ['duplicate metadata', fileOf('{"__metadata__":{"a":"1","a":"2"}}', 0), /"a" twice/],
    ['metadata twice', fileOf('{"__metadata__":{},"__metadata__":{}}', 0), /"__metadata__" twice/],
    ['metadata of numbers', fileOf('{"__metadata__":{"a":1}}', 0), /a string was expected/],
    ['metadata is null', fileOf('{"__metadata__":null}', 0), /\{ was expected/],
    ['unknown field', fileOf(one('"dtype":"U8","shape":[],"data_offsets":[0,1],"extra":1'), 1), /unknown key "extra"/],
    [
      'prototype as a field',
      fileOf(one('"__proto__":{"dtype":"U8"},"shape":[],"data_offsets":[0,1]'), 1),
      /unknown key "__proto__"/,
    ],
    ['no dtype', fileOf(one('"shape":[],"data_offsets":[0,1]'), 1), /needs dtype, shape and data_offsets/],
    ['no shape', fileOf(one('"dtype":"U8","data_offsets":[0,1]'), 1), /needs dtype, shape and data_offsets/],
    ['unknown dtype', fileOf(tensor('"F128"', '[1]', '[0,16]'), 16), /unknown dtype "F128"/],
    ['dtype of the prototype', fileOf(tensor('"constructor"', '[1]', '[0,8]'), 8), /unknown dtype "constructor"/],
    ['dtype is a number', fileOf(tensor('4', '[1]', '[0,8]'), 8), /a string was expected/],
    ['negative dimension', fileOf(f32('[-2]'), 8), /"t", shape: "-2" is not an integer/],
    ['two negative dimensions', fileOf(f32('[-1,-2]'), 8), /"-1" is not an integer/],
    ['minus zero', fileOf(f32('[-0]', '[0,0]'), 0), /"-0" is not an integer/],
    ['fractional dimension', fileOf(f32('[0.5,4]'), 8), /"0.5" is not an integer/],
    ['exponent', fileOf(f32('[2e0]'), 8), /"2e0" is not an integer/],
    ['leading zero', fileOf(f32('[02]'), 8), /"02" is not an integer/],
    ['dimension above 2^53', fileOf(f32('[9007199254740993]'), 8), /"9007199254740993" is not an integer/],
    ['digits without end', fileOf(f32(`[${'9'.repeat(100_000)}]`), 8), /9\.\.\." is not an integer/],
    ['dimension is null', fileOf(f32('[null]'), 8), /"n" is not an integer/],
    ['dimension is a string', fileOf(f32('["2"]'), 8), /is not an integer/],
    [
      'dimensions without end',
      fileOf(f32(`[${'0,'.repeat(500_000)}0]`, '[0,0]'), 0),
      /"t", shape has more than 32 numbers/,
    ],
    ['shape is a number', fileOf(f32('2'), 8), /\[ was expected/],
    ['product overflows', fileOf(f32('[4294967296,4294967296]'), 8), /takes too many bytes/],
    ['product wraps to 8 in 64 bits', fileOf(f32('[4611686018427387906]'), 8), /is not an integer/],
    [
      'overflow hidden by a zero',
      fileOf(f32('[9007199254740991,9007199254740991,0]', '[0,0]'), 0),
      /takes too many bytes/,
    ],
    ['terabytes declared', fileOf(f32('[1000000000000]', '[0,4000000000000]'), 8), /do not lie in the 8 bytes of data/],
    ['terabytes in the shape alone', fileOf(f32('[1000000000000]'), 8), /takes 4000000000000 bytes/],
    ['one byte short', fileOf(f32('[2]', '[0,7]'), 7), /F32 \[2\] takes 8 bytes, its data_offsets \[0, 7\] hold 7/],
    ['offsets reversed', fileOf(f32('[2]', '[8,0]'), 8), /do not lie/],
    ['offsets beyond the data', fileOf(f32('[2]', '[0,8]'), 7), /do not lie in the 7 bytes/],
    ['three offsets', fileOf(f32('[2]', '[0,8,8]'), 8), /3 data_offsets/],
    ['negative offset', fileOf(f32('[2]', '[-8,0]'), 8), /data_offsets: "-8"/],
    ['overlap', fileOf(two('[0,4]', '[2,6]'), 6), /"q": it starts at data byte 2 and overlaps/],
    ['the same bytes twice', fileOf(two('[0,4]', '[0,4]'), 4), /overlaps/],
    ['gap', fileOf(two('[0,4]', '[5,9]'), 9), /"q": it starts at data byte 5 and leaves a gap after 4/],
    ['gap at the start', fileOf(two('[1,5]', '[5,9]'), 9), /"p": .* leaves a gap after 0/],
    ['bytes at the end', fileOf(two('[0,4]', '[4,8]'), 9), /end at data byte 8, the data at 9/],
    [
      'empty tensor inside another',
      fileOf(
        '{"p":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"e":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}',
        4,
      ),
      /"e": it starts at data byte 2 and overlaps/,
    ],
    [
      'a name of a megabyte',
      fileOf(`{"${'n'.repeat(1_000_000)}":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4),
      /"nnn.*\.\.\."/,
    ],
  ];
  for (const [what, file, message] of corpus) {
    const error = errorOf(file);
    assert.match(error.message, /^weights\.safetensors: /, what);
    assert.match(error.message, message, what);
    assert.ok(error.message.length < 500, `${what}: the message has ${error.message.length} characters`);
  }
});

test('empty tensors lie anywhere between others', () => {
  const file = fileOf(
    '{"e":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},"p":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"f":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
    4,
  );
  assert.is(toFloat32(parseSafetensors(file).tensors.get('e')!).length, 0);
});

const storedTensor: fc.Arbitrary<TensorToStore> = fc.array(fc.nat({ max: 4 }), { maxLength: 4 }).chain((shape) => {
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  const bytes = (elementBytes: number): fc.Arbitrary<Uint8Array> =>
    fc.uint8Array({ minLength: count * elementBytes, maxLength: count * elementBytes });
  return fc.oneof(
    bytes(4).map((data) => ({ dtype: 'F32' as const, shape, data })),
    bytes(2).map((data) => ({ dtype: 'F16' as const, shape, data })),
    bytes(1).map((data) => ({ dtype: 'U8' as const, shape, data })),
    bytes(8).map((data) => ({ dtype: 'I64' as const, shape, data })),
  );
});
const name = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('__proto__', 'constructor', 'layer1.0.bn1.weight'),
);
const content = fc.record({
  tensors: fc.uniqueArray(fc.tuple(name, storedTensor), { selector: ([key]) => key, maxLength: 5 }),
  metadata: fc.uniqueArray(fc.tuple(name, fc.string({ unit: 'binary' })), { selector: ([key]) => key, maxLength: 3 }),
});

test('round trip: what was written is read, bit by bit', () => {
  fc.assert(
    fc.property(content, fc.nat({ max: 7 }), ({ tensors, metadata }, shift) => {
      const written = serializeSafetensors(tensors, metadata);
      // Read from an unaligned place, as out of an archive.
      const bytes = new Uint8Array(written.length + shift).subarray(shift);
      bytes.set(written);
      const file = parseSafetensors(bytes);
      assert.equal(new Map(metadata), file.metadata);
      assert.is(file.tensors.size, tensors.length);
      for (const [key, { dtype, shape, data }] of tensors) {
        const read = file.tensors.get(key)!;
        assert.is(read.dtype, dtype);
        assert.equal(read.shape, shape);
        assert.equal(Uint8Array.from(read.bytes), data);
      }
      const again = serializeSafetensors(
        [...file.tensors].map(([key, { dtype, shape, bytes: data }]) => [key, { dtype, shape, data }]),
        file.metadata,
      );
      assert.equal(again, written);
    }),
    { numRuns: 300 },
  );
});

test('a damaged file is read or refused, and never does anything else', () => {
  const interesting = [...'{}[]",:-.e0189 \\u\0'].map((character) => character.charCodeAt(0));
  const damage = fc.record({
    place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    value: fc.oneof(fc.constantFrom(...interesting), fc.nat({ max: 255 })),
  });
  let refused = 0;
  fc.assert(
    fc.property(
      content,
      fc.array(damage, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      ({ tensors, metadata }, damages, truncate) => {
        let file = serializeSafetensors(tensors, metadata);
        if (truncate) file = file.subarray(0, Math.floor(damages[0].place * file.length));
        else for (const { place, value } of damages) file[Math.floor(place * file.length)] = value;
        try {
          for (const tensor of parseSafetensors(file).tensors.values()) assert.ok(tensor.bytes.length <= file.length);
        } catch (error) {
          assert.instance(error, SafetensorsError);
          refused++;
        }
      },
    ),
    { numRuns: 3000 },
  );
  assert.ok(refused > 1000, `only ${refused} of 3,000 damaged files were refused`);
});

test('every truncation of a valid file is refused', () => {
  const file = fileOf(valid, 9);
  parseSafetensors(file);
  for (let length = 0; length < file.length; length++) errorOf(file.subarray(0, length));
});

test('bytes that came as a Buffer, of which slice() is a view, give each tensor its own values', () => {
  const bytes = Buffer.from(
    serializeSafetensors([
      ['a', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }],
      ['b', { dtype: 'F32', shape: [3], data: Float32Array.of(3, 4, 5) }],
    ]),
  );
  const { tensors } = parseSafetensors(bytes);
  assert.equal(
    [...tensors].map(([name, tensor]) => [name, [...toFloat32(tensor)]]),
    [
      ['a', [1, 2]],
      ['b', [3, 4, 5]],
    ],
  );
});

test('floats of another realm are stored as 16-bit floats like our own', () => {
  const values = [1, -2.5, 0.125];
  const foreign = runInNewContext('Float32Array.from(values)', { values }) as Float32Array;
  assert.not.instance(foreign, Float32Array);
  for (const dtype of ['F16', 'BF16'] as const) {
    const file = (data: Float32Array): Uint8Array =>
      serializeSafetensors(new Map([['x', { dtype, shape: [3], data }]]));
    assert.equal(file(foreign), file(Float32Array.from(values)));
  }
});

test.run();
