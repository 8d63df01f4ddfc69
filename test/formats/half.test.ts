import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import {
  bfloat16ToFloat32Bits,
  float16ToFloat32Bits,
  float32ToBfloat16Bits,
  float32ToFloat16Bits,
  narrow,
  widen,
} from '../../kernels/contract/half.ts';

const single = new DataView(new ArrayBuffer(4));
const bitsOf = (value: number): number => (single.setFloat32(0, value), single.getUint32(0));
const valueOf = (bits: number): number => (single.setUint32(0, bits), single.getFloat32(0));
const half = (value: number): number => float32ToFloat16Bits(bitsOf(value));
const brain = (value: number): number => float32ToBfloat16Bits(bitsOf(value));

test('binary16: the values of the standard', () => {
  const values: [number, number][] = [
    [0x0000, 0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x7bff, 65504],
    [0xfbff, -65504],
    [0x0400, 2 ** -14],
    [0x03ff, 1023 * 2 ** -24],
    [0x0200, 2 ** -15],
    [0x0001, 2 ** -24],
    [0x8001, -(2 ** -24)],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
  ];
  for (const [bits, value] of values) {
    assert.is(valueOf(float16ToFloat32Bits(bits)), value);
    assert.is(half(value), bits);
  }
  assert.is(float16ToFloat32Bits(0x8000), 0x80000000, 'the sign of zero stays');
});

test('binary16: widening and narrowing give every one of the 65,536 patterns back', () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const isSignallingNaN = (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0 && (bits & 0x200) === 0;
    assert.is(float32ToFloat16Bits(float16ToFloat32Bits(bits)), isSignallingNaN ? bits | 0x200 : bits);
  }
});

test('binary16: ties go to even, the largest and the smallest included', () => {
  assert.is(half(1 + 2 ** -11), 0x3c00);
  assert.is(half(1 + 3 * 2 ** -11), 0x3c02);
  assert.is(half(1 + 2 ** -11 + 2 ** -23), 0x3c01);
  assert.is(half(65519.996), 0x7bff);
  assert.is(half(65520), 0x7c00);
  assert.is(half(2 ** -25), 0x0000);
  assert.is(half(-(2 ** -25)), 0x8000);
  assert.is(half(2 ** -25 + 2 ** -48), 0x0001);
  assert.is(half(3 * 2 ** -25), 0x0002);
  assert.is(half(2 ** -14 - 2 ** -25), 0x0400, 'the carry out of the subnormals makes the smallest normal');
  assert.is(half(2 ** -149), 0x0000);
});

test('NaN stays NaN, whatever its payload', () => {
  for (const bits of [0x7fc00000, 0x7f800001, 0xff800001, 0x7fffffff, 0x7f8fffff]) {
    assert.ok(Number.isNaN(valueOf(float16ToFloat32Bits(float32ToFloat16Bits(bits)))));
    assert.ok(Number.isNaN(valueOf(bfloat16ToFloat32Bits(float32ToBfloat16Bits(bits)))));
  }
});

test('bfloat16: known values and ties', () => {
  assert.is(brain(1), 0x3f80);
  assert.is(brain(-Infinity), 0xff80);
  assert.is(brain(1 + 2 ** -8), 0x3f80);
  assert.is(brain(1 + 3 * 2 ** -8), 0x3f82);
  assert.is(brain(3.4028234663852886e38), 0x7f80, 'the largest float rounds to infinity');
  assert.is(brain(2 ** -149), 0x0000);
  assert.is(float32ToBfloat16Bits(0x00018000), 0x0002, 'subnormals round like others');
  for (let bits = 0; bits < 0x10000; bits++) {
    const isNaN16 = (bits & 0x7f80) === 0x7f80 && (bits & 0x7f) !== 0;
    assert.is(float32ToBfloat16Bits(bfloat16ToFloat32Bits(bits)), isNaN16 ? bits | 0x40 : bits);
  }
});

test('narrowing finds the nearest value: no neighbour is nearer, and of two equally near ones it takes the even', () => {
  const formats = [
    { toHalf: float32ToFloat16Bits, toSingle: float16ToFloat32Bits, infinity: 0x7c00, beyond: 65536 },
    { toHalf: float32ToBfloat16Bits, toSingle: bfloat16ToFloat32Bits, infinity: 0x7f80, beyond: 2 ** 128 },
  ];
  for (const { toHalf, toSingle, infinity, beyond } of formats) {
    const magnitude = (bits: number): number => (bits === infinity ? beyond : valueOf(toSingle(bits)));
    const check = (bits: number): void => {
      const value = valueOf(bits);
      const nearest = toHalf(bits);
      const distance = Math.abs(magnitude(nearest) - value);
      for (const neighbour of [nearest - 1, nearest + 1]) {
        if (neighbour < 0 || neighbour > infinity || value >= beyond) continue;
        const other = Math.abs(magnitude(neighbour) - value);
        assert.ok(
          distance < other || (distance === other && nearest % 2 === 0),
          `${value} became ${magnitude(nearest)}`,
        );
      }
    };
    fc.assert(fc.property(fc.integer({ min: 0, max: 0x7f7fffff }), check), { numRuns: 2000 });
    // Where binary16 lives, subnormals first, which few random patterns hit.
    fc.assert(fc.property(fc.integer({ min: 0x32800000, max: 0x47800000 }), check), { numRuns: 4000 });
  }
});

test('whole arrays, at any offset of their buffer', () => {
  const floats = new Float32Array([9, 1, -0.5, 65504, 2 ** -24]).subarray(1);
  const halves = narrow(floats, float32ToFloat16Bits);
  assert.equal([...halves], [0x3c00, 0xb800, 0x7bff, 0x0001]);
  assert.equal(widen(halves, float16ToFloat32Bits), Float32Array.from(floats));
});

test.run();
