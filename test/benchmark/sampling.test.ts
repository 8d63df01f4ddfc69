import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { processorMilliseconds } from '../../bench/support/clock.ts';
import { sampleAlternating, type Contender } from '../../src/benchmark/sampling.ts';

/** A contender that says when it ran and keeps the processor for some time. */
function contender(name: string, milliseconds: number, log: string[]): Contender {
  return {
    name,
    run: async (times) => {
      log.push(name);
      const end = performance.now() + milliseconds * times;
      while (performance.now() < end);
    },
  };
}

test('contenders take turns, forwards and backwards', async () => {
  const log: string[] = [];
  // The two have one length, so that neither drops out; a sample's length is at least 20 ms.
  const sampled = await sampleAlternating([contender('a', 25, log), contender('b', 25, log)], {
    budget: 0,
    keepAll: true,
  });
  assert.equal(log, ['a', 'b', 'a', 'b', 'b', 'a', 'a', 'b']);
  assert.equal(
    sampled.map(({ name, samples }) => [name, samples.length]),
    [
      ['a', 3],
      ['b', 3],
    ],
  );
});

test('short work is repeated within a sample, and a sample is of one run', async () => {
  const [{ repeats, samples }] = await sampleAlternating([contender('a', 1, [])], { budget: 0 });
  assert.ok(repeats > 1, `${repeats} repeats`);
  assert.ok(
    samples.every((sample) => sample >= 0.99),
    samples.join(),
  );
});

test('steps of the clock that are longer than the work do not show in a sample', async () => {
  // 5 us of work, timestamps in steps of 65.536 us, as Chromium gives them.
  const step = 0.065536;
  let now = 0.0123;
  const quantized: Contender = {
    name: 'quantized',
    run: (times) => {
      const start = Math.floor(now / step);
      now += 0.005 * times;
      const end = Math.floor(now / step);
      now += 1.7;
      return Promise.resolve((end - start) * step);
    },
  };
  const [{ repeats, samples }] = await sampleAlternating([quantized], { budget: 0, clock: 'device' });
  assert.ok(repeats >= 2000, `${repeats} repeats`);
  for (const sample of samples) assert.ok(Math.abs(sample - 0.005) < 0.005 * 0.01, `${sample} ms`);
});

test('who is far behind does not hold up the others', async () => {
  const log: string[] = [];
  const sampled = await sampleAlternating([contender('slow', 1000, log), contender('fast', 2, log)], { budget: 0 });
  assert.is(sampled[0].samples.length, 1);
  assert.is(sampled[1].samples.length, 3);
});

test('maxRounds ends a large budget', async () => {
  const [{ samples }] = await sampleAlternating([contender('a', 20, [])], { budget: 1e6, maxRounds: 4 });
  assert.is(samples.length, 4);
});

test('processor time leaves waiting out', async () => {
  const waiting: Contender = {
    name: 'waiting',
    run: (times) => new Promise((resolve) => setTimeout(resolve, 30 * times)),
  };
  const [wall] = await sampleAlternating([waiting], { budget: 0 });
  const [processor] = await sampleAlternating([waiting], { budget: 0, clock: processorMilliseconds });
  // setTimeout may be early by a millisecond.
  assert.ok(
    wall.samples.every((sample) => sample >= 28),
    wall.samples.join(),
  );
  assert.ok(Math.min(...processor.samples) < 15, processor.samples.join());
  const [working] = await sampleAlternating([contender('working', 25, [])], {
    budget: 0,
    clock: processorMilliseconds,
  });
  assert.ok(
    working.samples.every((sample) => sample > 0),
    working.samples.join(),
  );
});

test('a failure names the contender', async () => {
  let runs = 0;
  const failing: Contender = {
    name: 'bad',
    run: async () => {
      if (++runs > 1) throw new Error('out of luck');
    },
  };
  try {
    await sampleAlternating([failing], { budget: 0 });
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /bad: .*out of luck/);
  }
});

test.run();
