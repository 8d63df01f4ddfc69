// The whole bench on one small kernel, with as few samples as it takes: that figures come out, not which.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { benchNames, catalogue, loadBench } from '../../bench/support/catalogue.ts';
import { measureCeilings } from '../../src/benchmark/ceilings.ts';
import { measure } from '../../bench/support/measure.ts';
import { problemsOf, type KernelBench } from '../../bench/support/kernel-bench.ts';
import { kernelTables } from '../../bench/support/tables.ts';
import { fill } from '../../kernels/elementwise/fill.ts';
import { testDevice } from '../support/device.ts';

const WORK = { batch: 2, size: 32 };

test('from ceilings to a table', async () => {
  const device = await testDevice();
  const ceilings = await measureCeilings(device, { budget: 0, maxRounds: 1 });
  for (const [name, value] of Object.entries(ceilings))
    if (name !== 'variants') assert.ok(Number.isFinite(value) && value > 0, `${name} is ${value}`);
  const entries = await catalogue({ kernels: ['relu'], shapes: ['layer4'] }, WORK);
  const seen: string[] = [];
  const results = await measure(device, entries, {
    seconds: 0,
    maxRounds: 2,
    onProgress: (done, total, { problemName }) => seen.push(`${done} of ${total}: ${problemName}`),
  });
  assert.is(seen.length, entries.length);
  assert.ok(
    results.every(
      ({ samples, failure }) => failure === undefined && samples.length > 0 && samples.every((sample) => sample > 0),
    ),
  );
  assert.is(results.filter(({ chosen }) => chosen).length, entries.length);
  assert.match(kernelTables(results, ceilings), /^relu\nshape /);
});

test('a variant that does not compile is reported, and the others are timed', async () => {
  const device = await testDevice();
  const [good] = fill.calls({ count: 64, value: 1 }, device.traits);
  const broken = {
    ...good,
    variant: 'broken',
    dispatches: [{ ...good.dispatches[0], shader: { name: 'broken.wgsl', source: 'fn main() { nonsense }' } }],
  };
  const entry = {
    bench: { kernel: { ...fill, calls: () => [good, broken] }, problems: {} } as KernelBench<unknown>,
    name: 'fill',
    problemName: 'small',
    problem: { count: 64, value: 1 },
  };
  const results = await measure(device, [entry], { seconds: 0, maxRounds: 1 });
  assert.equal(
    results.map(({ variant, failure }) => [variant, failure === undefined]),
    [
      ['broken', false],
      [good.variant, true],
    ],
  );
  assert.match(results[0].failure ?? '', /broken\.wgsl .*does not compile/);
});

test('a variant with wrong results is not timed, whether a reference says so or the first variant', async () => {
  const device = await testDevice();
  // Of so few elements the float64 reference is computed; of so many it is not, and the first variant stands in.
  for (const [count, whose] of [
    [64, 'the float64 reference has 1,'],
    [2 ** 20 + 4, 'right has 1,'],
  ] as const) {
    const problem = { count, value: 1 };
    const right = { ...fill.calls(problem, device.traits)[0], variant: 'right' };
    const wrong = { ...fill.calls({ count, value: 1.001 }, device.traits)[0], variant: 'wrong' };
    const incomplete = { ...right, variant: 'incomplete', dispatches: [] };
    const entry = {
      bench: { kernel: { ...fill, calls: () => [right, wrong, incomplete] }, problems: {} } as KernelBench<unknown>,
      name: 'fill',
      problemName: 'small',
      problem,
    };
    const results = await measure(device, [entry], { seconds: 0, maxRounds: 1 });
    assert.equal(
      results.map(({ variant, samples, failure }) => [variant, samples.length > 0, failure === undefined]),
      [
        ['wrong', false, false],
        ['incomplete', false, false],
        ['right', true, true],
      ],
    );
    assert.match(results[0].failure ?? '', `wrong result: values[0] is 1.00`);
    assert.match(results[0].failure ?? '', whose);
    assert.match(results[1].failure ?? '', 'values[0] is NaN');
  }
});

test('a filter that leaves nothing is a mistake, not an empty table', async () => {
  const device = await testDevice();
  const entries = await catalogue({ kernels: ['relu'], shapes: [] }, WORK);
  try {
    await measure(device, entries, { seconds: 0, variant: 'no such variant' });
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /no variant's name contains no such variant/);
  }
  for (const [selection, message] of [
    [{ kernels: ['rely'], shapes: [] }, /no bench is called rely; there are .*relu/],
    [{ kernels: [], shapes: ['layer9'] }, /no shape's name contains layer9/],
  ] as const) {
    try {
      await catalogue(selection, WORK);
      assert.unreachable();
    } catch (error) {
      assert.match(String(error), message);
    }
  }
});

test('every bench has problems for any batch and size, and the device takes what they need', async () => {
  const device = await testDevice();
  for (const name of benchNames()) {
    const bench = await loadBench(name);
    for (const work of [WORK, { batch: 1, size: 97 }]) {
      for (const [problemName, problem] of Object.entries(problemsOf(bench, work))) {
        // 16-bit floats are the one thing that an adapter may lack.
        assert.ok(
          bench.kernel.calls(problem, device.traits).length > 0 ||
            (/f16/.test(`${name} ${problemName}`) && device.traits.f16 !== true),
          `${name}: ${problemName}`,
        );
        assert.ok(bench.kernel.cost(problem).bytes > 0, `${name}: ${problemName}`);
      }
    }
  }
});

test.run();
