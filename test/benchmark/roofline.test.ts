import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { boundOf, rooflineOf } from '../../src/benchmark/roofline.ts';

const ceilings = { gigaflops: 100, gigabytes: 10, dispatch: 0.02 };

test('the roofline is the lower of arithmetic and bandwidth times intensity', () => {
  // 200 FLOP a byte: 2 ms of arithmetic, 0.1 ms of memory.
  assert.equal(rooflineOf({ flop: 2e8, bytes: 1e6 }, 1, ceilings), { milliseconds: 2, bound: 'arithmetic' });
  assert.equal(rooflineOf({ flop: 1e6, bytes: 1e7 }, 1, ceilings), { milliseconds: 1, bound: 'memory' });
  assert.equal(rooflineOf({ flop: 0, bytes: 1e7 }, 1, ceilings), { milliseconds: 1, bound: 'memory' });
  assert.is(rooflineOf({ flop: 0, bytes: 1e4 }, 1, ceilings).bound, 'launch');
  assert.is(rooflineOf({ flop: 0, bytes: 1e6 }, 8, ceilings).bound, 'launch');
});

test('a ceiling bounds a kernel where it accounts for half of the time, and latency where none does', () => {
  const product = { flop: 2e8, bytes: 1e6 };
  assert.is(boundOf(2.5, product, 1, ceilings), 'arithmetic');
  assert.is(boundOf(4, product, 1, ceilings), 'arithmetic');
  assert.is(boundOf(4.1, product, 1, ceilings), 'latency');
  assert.is(boundOf(1.5, { flop: 1e6, bytes: 1e7 }, 1, ceilings), 'memory');
  assert.is(boundOf(0.03, { flop: 0, bytes: 1e4 }, 1, ceilings), 'launch');
  assert.is(boundOf(0.5, { flop: 0, bytes: 1e4 }, 1, ceilings), 'latency');
  // What keeps its operands in caches passes the roofline, and is bound by it all the same.
  assert.is(boundOf(0.5, { flop: 1e6, bytes: 1e7 }, 1, ceilings), 'memory');
});

test.run();
