import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { multiplyHigh, philox4x32 } from '../../kernels/random/philox.ts';
import { RandomStream } from '../../src/random/philox.ts';

const hex = (words: readonly number[]) => words.map((word) => word.toString(16).padStart(8, '0')).join(' ');

test('philox4x32 gives the known answers of Random123 (kat_vectors, philox4x32 10)', () => {
  assert.is(hex(philox4x32([0, 0, 0, 0], [0, 0])), '6627e8d5 e169c58d bc57ac4c 9b00dbd8');
  const ones = 0xffffffff;
  assert.is(hex(philox4x32([ones, ones, ones, ones], [ones, ones])), '408f276d 41c83b0e a20bc7c6 6d5451fd');
  assert.is(
    hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])),
    'd16cfe09 94fdcceb 5001e420 24126ea1',
  );
});

test('multiplyHigh is exact, at the edges and at random', () => {
  const stream = new RandomStream(7, 7);
  const edges = [0, 1, 0xffff, 0x10000, 0x10001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
  const random = Array.from({ length: 60 }, () => stream.word());
  for (const a of [...edges, ...random]) {
    for (const b of [...edges, ...random]) {
      assert.is(multiplyHigh(a, b), Number((BigInt(a) * BigInt(b)) >> 32n), `${a} * ${b}`);
    }
  }
});

test('a stream goes on from its state exactly, at every lane of a block', () => {
  for (let drawn = 0; drawn < 9; drawn++) {
    const stream = new RandomStream(11, 3, [5, 6]);
    for (let i = 0; i < drawn; i++) stream.word();
    const resumed = RandomStream.fromState(JSON.parse(JSON.stringify(stream.state)));
    for (let i = 0; i < 10; i++) assert.is(resumed.word(), stream.word());
    assert.equal(resumed.state, stream.state);
  }
});

test('a stream is Philox over its blocks, with the address above the block number', () => {
  const stream = new RandomStream(11, 3, [5, 6]);
  const words = Array.from({ length: 8 }, () => stream.word());
  assert.equal(words, [...philox4x32([0, 0, 5, 6], [11, 3]), ...philox4x32([1, 0, 5, 6], [11, 3])]);
  const far = RandomStream.fromState({ seed: 11, stream: 3, address: [5, 6], drawn: 2 ** 34 + 4 });
  assert.is(far.word(), philox4x32([1, 1, 5, 6], [11, 3])[0]);
});

test('seed, stream and address each give other numbers', () => {
  const firsts = [
    new RandomStream(1, 0),
    new RandomStream(2, 0),
    new RandomStream(1, 1),
    new RandomStream(1, 0, [1, 0]),
    new RandomStream(1, 0, [0, 1]),
  ].map((stream) => stream.word());
  assert.is(new Set(firsts).size, firsts.length);
});

test('uniform stays in [0, 1), is exact in f32, and has the moments of the uniform law', () => {
  const stream = new RandomStream(1, 1);
  const count = 40_000;
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < count; i++) {
    const u = stream.uniform();
    assert.ok(u >= 0 && u < 1);
    assert.is(Math.fround(u), u);
    sum += u;
    squares += u * u;
  }
  // Five standard errors.
  assert.ok(Math.abs(sum / count - 1 / 2) < 5 * Math.sqrt(1 / 12 / count));
  assert.ok(Math.abs(squares / count - 1 / 3) < 5 * Math.sqrt(4 / 45 / count));
});

test('normal has the first four moments of the normal law', () => {
  const stream = new RandomStream(1, 2);
  const count = 40_000;
  const moments = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const z = stream.normal();
    for (let order = 0; order < 4; order++) moments[order] += z ** (order + 1) / count;
  }
  const expected = [0, 1, 0, 3];
  const variances = [1, 2, 15, 96];
  for (let order = 0; order < 4; order++) {
    assert.ok(
      Math.abs(moments[order] - expected[order]) < 5 * Math.sqrt(variances[order] / count),
      `moment ${order + 1}`,
    );
  }
});

test('integer meets every value equally often', () => {
  const stream = new RandomStream(1, 3);
  const counts = new Array<number>(7).fill(0);
  for (let i = 0; i < 70_000; i++) counts[stream.integer(7)]++;
  // Chi-squared with 6 degrees of freedom: 22.46 is passed once in a thousand.
  const chiSquared = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
  assert.ok(chiSquared < 22.46, `chi-squared ${chiSquared}`);
  assert.is(stream.integer(1), 0);
  assert.throws(() => stream.integer(0), /from 1 to/);
  assert.throws(() => stream.integer(1.5), /from 1 to/);
});

test('integer refuses the words that would favour small values', () => {
  // With n = 3 * 2^30 a modulo would give the lowest third twice as often.
  const stream = new RandomStream(1, 4);
  const n = 3 * 2 ** 30;
  let low = 0;
  for (let i = 0; i < 3000; i++) if (stream.integer(n) < 2 ** 30) low++;
  assert.ok(Math.abs(low - 1000) < 5 * Math.sqrt(3000 * (1 / 3) * (2 / 3)));
});

test('shuffle keeps the members and reaches every order equally often', () => {
  const stream = new RandomStream(1, 5);
  const counts = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const order = stream.shuffle(['a', 'b', 'c']).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assert.equal([...counts.keys()].sort(), ['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
  const chiSquared = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  assert.ok(chiSquared < 20.52, `chi-squared ${chiSquared}`);
});

test('a seed or an address that is no u32 is refused by name', () => {
  assert.throws(() => new RandomStream(-1, 0), /seed must be a whole number/);
  assert.throws(() => new RandomStream(0, 2 ** 32), /stream must be a whole number/);
  assert.throws(() => new RandomStream(0, 0, [0.5, 0]), /address\[0\] must be a whole number/);
});

test.run();
