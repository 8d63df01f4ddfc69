// Arrays of all kinds and realms, as callers hand them in: converted by value, copied where others may write them, or
// refused.
import vm from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { constant, ShapeError } from '../../src/autodiff/tensor.ts';
import { hostValues, typeOfValues } from '../../src/gpu/host-values.ts';

const refuse = (why: string): never => {
  throw new ShapeError(`x ${why}`);
};
const of = (values: unknown, type: 'f32' | 'u32', length = 4): number[] => {
  const words = hostValues(values, type, length, refuse);
  return [
    ...(type === 'f32'
      ? new Float32Array(words.buffer, words.byteOffset, length)
      : new Uint32Array(words.buffer, words.byteOffset, length)),
  ];
};
const refused = (values: unknown, type: 'f32' | 'u32', message: RegExp, length = 4): void => {
  assert.throws(
    () => hostValues(values, type, length, refuse),
    (error: Error) => error instanceof ShapeError && message.test(error.message),
    String(message),
  );
};
const elsewhere = (code: string): unknown => vm.runInNewContext(code);
const shared = <Values extends Float32Array | Uint32Array | Uint8Array>(
  Type: new (buffer: SharedArrayBuffer) => Values,
  values: Values,
): Values => {
  const result = new Type(new SharedArrayBuffer(values.byteLength));
  result.set(values);
  return result;
};

test('floats of all widths and arrays of numbers are f32, rounded to nearest', () => {
  for (const values of [
    Float32Array.of(1, 2, 3, 4),
    Float64Array.of(1, 2, 3, 4),
    [1, 2, 3, 4],
    elsewhere('Float32Array.of(1, 2, 3, 4)'),
    elsewhere('[1, 2, 3, 4]'),
    elsewhere('Float64Array.of(1, 2, 3, 4)'),
  ])
    assert.equal(of(values, 'f32'), [1, 2, 3, 4]);
  assert.equal(of([0.1, NaN, -Infinity, 16777217], 'f32'), [Math.fround(0.1), NaN, -Infinity, 16777216]);
});

test('integers of all widths and arrays of integers are u32, by value', () => {
  for (const values of [
    Uint32Array.of(1, 2, 3, 4),
    Uint16Array.of(1, 2, 3, 4),
    Int32Array.of(1, 2, 3, 4),
    Int16Array.of(1, 2, 3, 4),
    Int8Array.of(1, 2, 3, 4),
    [1, 2, 3, 4],
    elsewhere('Uint32Array.of(1, 2, 3, 4)'),
    elsewhere('Uint16Array.of(1, 2, 3, 4)'),
  ])
    assert.equal(of(values, 'u32'), [1, 2, 3, 4]);
  assert.equal(of([2 ** 32 - 1, 0, 1, 2], 'u32'), [2 ** 32 - 1, 0, 1, 2]);
});

test('bytes are packed four to a u32, the last word filled with zeros', () => {
  for (const Type of [Uint8Array, Uint8ClampedArray, Buffer]) {
    assert.equal(of(Type.from([1, 0, 0, 0, 2, 0, 0, 0]), 'u32', 2), [1, 2]);
    assert.equal(of(Type.from([1, 1, 0, 0, 2]), 'u32', 2), [257, 2]);
    refused(Type.from([1, 2, 3, 4]), 'u32', /x was given 4 bytes/);
    refused(Type.from([1, 2, 3, 4]), 'f32', /x holds f32, but was given a Uint8(Clamped)?Array/);
  }
});

test('what is neither is refused by its name, also from another realm', () => {
  refused(Float32Array.of(1, 2, 3, 4), 'u32', /holds u32, but was given a Float32Array/);
  refused(elsewhere('Float32Array.of(1, 2, 3, 4)'), 'u32', /holds u32, but was given a Float32Array/);
  refused(Uint32Array.of(1, 2, 3, 4), 'f32', /holds f32, but was given a Uint32Array/);
  for (const [values, name] of [
    [BigInt64Array.of(1n, 2n, 3n, 4n), 'BigInt64Array'],
    [new DataView(new ArrayBuffer(16)), 'DataView'],
    [new ArrayBuffer(16), 'ArrayBuffer'],
    ['1234', 'String'],
    [new Set([1, 2, 3, 4]), 'Set'],
    [{ length: 4 }, 'Object'],
    [null, 'Null'],
    [7, 'Number'],
  ] as const) {
    for (const type of ['f32', 'u32'] as const) refused(values, type, new RegExp(`was given a ${name}`));
  }
  // A class or tag of the caller's own does not hide what an array is.
  class Disguised extends Float64Array {
    override get [Symbol.toStringTag](): never {
      return 'Float32Array' as never;
    }
  }
  assert.equal(of(new Disguised([1, 2, 3, 4]), 'f32'), [1, 2, 3, 4]);
});

test('elements that are no numbers, or no integers, are refused by their place; so are arrays of other lengths', () => {
  refused([1, 2, '3', 4], 'f32', /was given 3 as element 2; a number was expected/);
  refused([1, undefined, 3, 4], 'f32', /element 1/);
  for (const wrong of [-1, 1.5, NaN, Infinity, 2 ** 32, '1'])
    refused([0, 0, 0, wrong], 'u32', /as element 3; an integer from 0 to 4294967295/);
  refused(Int32Array.of(1, -2, 3, 4), 'u32', /was given -2 as element 1/);
  for (const length of [3, 5]) {
    refused(new Float32Array(length), 'f32', new RegExp(`was given ${length} values`));
    refused(new Float64Array(length), 'f32', new RegExp(`was given ${length} values`));
    refused(new Array(length).fill(0), 'u32', new RegExp(`was given ${length} values`));
  }
});

test('memory that others may write or that may move is copied, other memory only where asked', () => {
  const own = Float32Array.of(1, 2, 3, 4);
  assert.is(hostValues(own, 'f32', 4, refuse), own as unknown);
  const copy = hostValues(own, 'f32', 4, refuse, true);
  assert.ok(copy !== own && copy.buffer !== own.buffer);
  const bytes = new Uint8Array(8);
  assert.is(hostValues(bytes, 'u32', 2, refuse), bytes as unknown);
  assert.ok(hostValues(bytes, 'u32', 2, refuse, true).buffer !== bytes.buffer);
  for (const [values, type] of [
    [shared(Float32Array, own), 'f32'],
    [shared(Uint32Array, Uint32Array.of(1, 2, 3, 4)), 'u32'],
    [shared(Uint8Array, new Uint8Array(Uint32Array.of(1, 2, 3, 4).buffer)), 'u32'],
  ] as const) {
    assert.is(Object.prototype.toString.call(hostValues(values, type, 4, refuse).buffer), '[object ArrayBuffer]');
    assert.equal(of(values, type), [1, 2, 3, 4]);
  }
  const Resizable = ArrayBuffer as unknown as new (size: number, options: { maxByteLength: number }) => ArrayBuffer;
  const growing = new Float32Array(new Resizable(16, { maxByteLength: 64 }));
  assert.ok(hostValues(growing, 'f32', 4, refuse).buffer !== growing.buffer);
});

test('a constant has the type of its values, and keeps them as they are at the call', () => {
  assert.equal(
    ['Float32Array.of(1)', '[1]', 'Float64Array.of(1)'].map((code) => typeOfValues(elsewhere(code))),
    ['f32', 'f32', 'f32'],
  );
  assert.equal(
    ['Uint32Array.of(1)', 'Uint16Array.of(1)', 'Int32Array.of(1)'].map(
      (code) => constant('c', [1], elsewhere(code) as Uint32Array).type,
    ),
    ['u32', 'u32', 'u32'],
  );
  const values = Float32Array.of(1, 2);
  const { origin } = constant('c', [2], values);
  values.fill(9);
  assert.equal(origin.kind === 'constant' && [...(origin.values as Float32Array)], [1, 2]);
  for (const wrong of [Float32Array.of(1), new Uint8Array(2), '12'])
    assert.throws(
      () => constant('c', [2], wrong as never),
      (error: Error) => error instanceof ShapeError && error.message.startsWith('constant c [2]'),
    );
});

test.run();
