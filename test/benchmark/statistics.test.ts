import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { halfSpread, median, quantile, ratioOf } from '../../src/benchmark/statistics.ts';
import { RandomStream } from '../../src/random/philox.ts';

test('quantiles interpolate and do not sort in place', () => {
  const samples = [4, 1, 3, 2];
  assert.is(median(samples), 2.5);
  assert.is(quantile(samples, 0), 1);
  assert.is(quantile(samples, 1), 4);
  assert.is(quantile([1, 2, 3, 4, 5], 0.25), 2);
  assert.is(halfSpread([1, 2, 3, 4, 5]), 1);
  assert.equal(samples, [4, 1, 3, 2]);
  assert.throws(() => median([]), /no samples/);
});

test('the interval of a ratio is the one of the tables of the rank-sum test', () => {
  // m = n = 5, two-sided 95 %: the critical value of U is 2, so the interval runs from the third smallest to the third
  // largest.
  const before = [1, 1, 1, 1, 1];
  const after = [1, 2, 3, 4, 5];
  const { ratio, low, high } = ratioOf(after, before, 0.95);
  assert.is(ratio, 3);
  // Every ratio occurs five times: the third smallest is 1, the third largest 5.
  assert.is(low, 1);
  assert.is(high, 5);
  // m = n = 8, two-sided 99 %: critical value 7, so eighth from either end.
  const eight = [10, 11, 12, 13, 14, 15, 16, 17];
  const single = new Array<number>(8).fill(1);
  const wide = ratioOf(eight, single, 0.99);
  assert.is(wide.low, 10);
  assert.is(wide.high, 17);
  const ratios = eight.flatMap((a) => [1, 2, 4, 8, 16, 32, 64, 128].map((b) => a / b)).sort((a, b) => a - b);
  assert.is(ratioOf(eight, [1, 2, 4, 8, 16, 32, 64, 128], 0.99).low, ratios[7]);
});

test('too few samples give an unbounded interval', () => {
  assert.equal(ratioOf([1, 1.1, 1.2], [2, 2.1, 2.2], 0.99), { ratio: 1.1 / 2.1, low: 0, high: Infinity });
});

test('the interval holds the truth about as often as it says', () => {
  const random = new RandomStream(7, 0);
  const noisy = (scale: number, count: number): number[] =>
    Array.from({ length: count }, () => scale * Math.exp(0.1 * random.uniform() ** 3));
  for (const count of [6, 12, 25]) {
    let held = 0;
    const RUNS = 400;
    for (let run = 0; run < RUNS; run++) {
      const { low, high } = ratioOf(noisy(2, count), noisy(1, count), 0.9);
      if (low <= 2 && 2 <= high) held++;
    }
    // 0.9 and more (the distribution is discrete); four standard deviations of 400 draws are 0.06.
    assert.ok(held / RUNS > 0.84, `${count} samples: ${held / RUNS}`);
    assert.ok(held / RUNS < 0.99, `${count} samples: ${held / RUNS}`);
  }
});

test('a change is found whatever the distribution', () => {
  const random = new RandomStream(3, 0);
  // A floor and a long tail, as timings have.
  const tailed = (scale: number): number[] =>
    Array.from({ length: 20 }, () => scale * (1 + 0.02 / Math.sqrt(1 - random.uniform())));
  const { ratio, low, high } = ratioOf(tailed(1.2), tailed(1));
  assert.ok(low > 1 && high < 1.4 && low < ratio && ratio < high, `${ratio} (${low} - ${high})`);
});

test.run();
