import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { layOutArena, type Lifetime } from '../../src/autodiff/arena.ts';
import { LimitError } from '../../src/gpu/errors.ts';

const CHUNK = 4096;
const lifetimes = fc.array(
  fc
    .record({ bytes: fc.integer({ min: 1, max: CHUNK }), first: fc.nat(20), steps: fc.nat(8) })
    .map(({ bytes, first, steps }): Lifetime => ({ bytes, first, last: first + steps })),
  { maxLength: 40 },
);
const forAll = (check: (list: readonly Lifetime[]) => void): void =>
  fc.assert(fc.property(lifetimes, check), { numRuns: 300 });

test('what is alive at the same time never overlaps in memory', () => {
  forAll((list) => {
    const { offsets } = layOutArena(list, CHUNK);
    list.forEach((a, i) =>
      list.slice(0, i).forEach((b, j) => {
        if (a.first > b.last || b.first > a.last) return;
        assert.ok(
          offsets[i] + a.bytes <= offsets[j] || offsets[j] + b.bytes <= offsets[i],
          `lifetimes ${i} and ${j} overlap`,
        );
      }),
    );
  });
});

test('every place is aligned, lies within one chunk and within the arena', () => {
  forAll((list) => {
    const { offsets, bytes } = layOutArena(list, CHUNK);
    list.forEach((lifetime, i) => {
      assert.is(offsets[i] % 256, 0);
      assert.is(
        Math.floor(offsets[i] / CHUNK),
        Math.floor((offsets[i] + lifetime.bytes - 1) / CHUNK),
        `lifetime ${i} straddles two chunks`,
      );
      assert.ok(offsets[i] + lifetime.bytes <= bytes);
    });
  });
});

test('the lower bound is what is alive at the fullest step, and no layout is below it', () => {
  forAll((list) => {
    const { bytes, liveBytes } = layOutArena(list, CHUNK);
    const aliveAt = (step: number): number =>
      list.reduce((sum, { bytes: size, first, last }) => (first <= step && step <= last ? sum + size : sum), 0);
    assert.is(liveBytes, Math.max(0, ...Array.from({ length: 30 }, (_, step) => aliveAt(step))));
    assert.ok(bytes >= liveBytes);
  });
});

test('memory is used again: a chain of equal tensors, each dying as the next but one is born, takes two places', () => {
  const chain = Array.from({ length: 50 }, (_, step) => ({ bytes: 1024, first: step, last: step + 1 }));
  assert.is(layOutArena(chain, CHUNK).bytes, 2048);
});

test('a tensor larger than the largest buffer is an error that names both sizes', () => {
  assert.throws(
    () => layOutArena([{ bytes: CHUNK + 1, first: 0, last: 0 }], CHUNK),
    (error: Error) => error instanceof LimitError && /4352 bytes.*4096 bytes/.test(error.message),
  );
});

test.run();
