import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Values } from '../../../kernels/kernel.ts';
import { QUADRUPLET_STATISTICS, quadrupletLoss } from '../../../kernels/loss/quadruplet-loss.ts';
import type { QuadrupletLossProblem } from '../../../kernels/loss/quadruplet-loss-problem.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { assertWithin, uniformNumbers } from '../../support/kernel-test.ts';

test('quadruplet_loss: the gradient of the reference agrees with finite differences, in every form and mode', () => {
  const forms = [{}, { form: 'one-hinge', share: 0.3 }, { form: 'two-pairs', margin: 0.6 }] as const;
  for (const settings of forms.flatMap((form) =>
    (['hardest', 'semi-hard', 'random'] as const).map((mining) => ({ ...form, mining })),
  )) {
    const problem: QuadrupletLossProblem = { count: 14, width: 6, ...settings };
    const mining = JSON.stringify(settings);
    const inputs = quadrupletLoss.sampleInputs?.(problem, uniformNumbers(11)) ?? {};
    const { dembeddings, statistics } = quadrupletLoss.reference(problem, inputs);
    const active = statistics.value[QUADRUPLET_STATISTICS.indexOf('active fraction')];
    assert.ok(active > 0 && active < 1, `${mining}: the sample must have active and inactive hinges, not ${active}`);
    const lossAt = (index: number, step: number): number => {
      const embeddings = Float64Array.from(inputs.embeddings);
      embeddings[index] += step;
      return quadrupletLoss.reference(problem, { ...inputs, embeddings }).loss.value[0];
    };
    const step = 1e-6;
    const differences = dembeddings.value.map((_, i) => (lossAt(i, step) - lossAt(i, -step)) / (2 * step));
    assertWithin(
      mining,
      dembeddings.value,
      differences,
      differences.map(() => 1e-8),
    );
  }
});

test('quadruplet_loss: a batch of two classes worked out by hand', async () => {
  // On a line: sketch a at 0 and photo A at 1 of one class, sketch b at 3 and photo B at 2.5 of the other.
  const problem: QuadrupletLossProblem = { count: 4, width: 4, margin: 1.9 };
  const inputs: Values = {
    embeddings: Float64Array.of(0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 2.5, 0, 0, 0),
    labels: Float64Array.of(5, 5, 9, 9),
    domains: Float64Array.of(0, 1, 0, 1),
  };
  // Before the cut at 0, hinges (anchor; positive, negative of the own domain, of the other domain) are
  //   (a; A, b) 1 - 3 + 1.9 = -0.1     (a; A, B) 1 - 2.5 + 1.9 = 0.4
  //   (A; a, B) 1 - 1.5 + 1.9 = 1.4    (A; a, b) 1 - 2 + 1.9 = 0.9
  //   (b; B, a) 0.5 - 3 + 1.9 = -0.6   (b; B, A) 0.5 - 2 + 1.9 = 0.4
  //   (B; b, A) 0.5 - 1.5 + 1.9 = 0.9  (B; b, a) 0.5 - 2.5 + 1.9 = -0.1
  // The five active ones move (a, A, b, B) by (0, 1, 0, -1), (-1, 2, 0, -1), (-1, 2, -1, 0), (0, 1, 0, -1), (0, 1, 1, -2).
  const expected = {
    loss: [4 / 8],
    statistics: [5 / 8, 0.75, 2.25, 2.25, 2 / 4, 3 / 4, 8, 5],
    dembeddings: [-2 / 8, 7 / 8, 0, -5 / 8],
  };
  const device = await testDevice();
  for (const call of quadrupletLoss.calls(problem, device.traits)) {
    const actual = await runKernel(device, call, inputs);
    assertWithin(`${call.variant}: loss`, actual.loss, expected.loss, [1e-6]);
    // On the line: sketches at 0 and 3, photos at 1 and 2.5, all of them 1.625 on average.
    assertWithin(
      `${call.variant}: gap and spread`,
      actual.statistics.slice(8),
      [0.25, Math.sqrt((1.625 ** 2 + 0.625 ** 2 + 1.375 ** 2 + 0.875 ** 2) / 4)],
      [1e-5, 1e-6],
    );
    assertWithin(
      `${call.variant}: statistics`,
      actual.statistics.slice(0, 8),
      expected.statistics,
      expected.statistics.map(() => 1e-6),
    );
    const along = Array.from({ length: 4 }, (_, i) => actual.dembeddings[4 * i]);
    assertWithin(
      `${call.variant}: dembeddings`,
      along,
      expected.dembeddings,
      along.map(() => 1e-6),
    );
  }
});

test('quadruplet_loss: the other forms of three classes worked out by hand', async () => {
  // On a line, sketch and photo of each of three classes: a 0, A 1; b 3, B 2.5; c 5, C 6.
  const inputs: Values = {
    embeddings: Float64Array.from([0, 1, 3, 2.5, 5, 6].flatMap((place) => [place, 0, 0, 0])),
    labels: Float64Array.of(0, 0, 1, 1, 2, 2),
    domains: Float64Array.of(0, 1, 0, 1, 0, 1),
  };
  // One hinge d(a, p) - 3/4 d(a, n) - 1/4 d(a, k) + 1.9, n of the own domain (anchor; p, n, k):
  //   (a; A, b, B) 1 - 2.25 - 0.625 + 1.9 = 0.025     (A; a, B, b) 1 - 1.125 - 0.5 + 1.9 = 1.275
  //   (b; B, c, A) 0.5 - 1.5 - 0.5 + 1.9 = 0.4        (B; b, A, a) 0.5 - 1.125 - 0.625 + 1.9 = 0.65
  //   (c; C, b, B) 1 - 1.5 - 0.625 + 1.9 = 0.775      (C; c, B, b) 1 - 2.625 - 0.75 + 1.9 = -0.475
  // Two pairs d(a, p)^2 - d(a, k)^2 + 2 and d(a, p)^2 - d(n, k)^2 + 1, k of the other domain, n of a third class (anchor; p, k, n):
  //   (a; A, B, c) 1 - 6.25 + 2, 1 - 6.25 + 1         (A; a, b, C) 1 - 4 + 2, 1 - 9 + 1
  //   (b; B, A, c) 0.25 - 4 + 2, 0.25 - 16 + 1        (B; b, c, A) see below
  // B is 2.5 from a and from c, and takes a, the lower index; then n = C, 6 from a. 0.25 - 6.25 + 2, 0.25 - 36 + 1
  //   (c; C, B, a) 1 - 6.25 + 2, 1 - 6.25 + 1         (C; c, b, A) 1 - 9 + 2, 1 - 4 + 1
  // With margins 5.5 and 3.5 instead: 0.25, -; 2.5, -; 1.75, -; -, -; 0.25, -; -, 0.5.
  const device = await testDevice();
  const check = async (problem: QuadrupletLossProblem, loss: number, active: number, valid: number): Promise<void> => {
    for (const call of quadrupletLoss.calls(problem, device.traits)) {
      const actual = await runKernel(device, call, inputs);
      assertWithin(`${problem.form}, ${call.variant}`, actual.loss, [loss], [2e-6]);
      assert.is(actual.statistics[QUADRUPLET_STATISTICS.indexOf('valid hinges')], valid);
      assert.is(actual.statistics[QUADRUPLET_STATISTICS.indexOf('active hinges')], active);
    }
  };
  await check(
    { count: 6, width: 4, form: 'one-hinge', share: 0.25, margin: 1.9 },
    (0.025 + 1.275 + 0.4 + 0.65 + 0.775) / 6,
    5,
    6,
  );
  await check(
    { count: 6, width: 4, form: 'two-pairs', margin: 5.5, secondMargin: 3.5 },
    (0.25 + 2.5 + 1.75 + 0.25 + 0.5) / 12,
    5,
    12,
  );
});

test('quadruplet_loss: ties go to the lowest index', async () => {
  // Corners of a simplex: all distances are equal, exactly so in float32.
  const problem: QuadrupletLossProblem = { count: 8, width: 8 };
  const inputs: Values = {
    embeddings: Float64Array.from({ length: 64 }, (_, i) => Number(i % 8 === Math.floor(i / 8))),
    labels: Float64Array.of(0, 0, 0, 0, 1, 1, 1, 1),
    domains: Float64Array.of(0, 0, 1, 1, 0, 0, 1, 1),
  };
  const expected = quadrupletLoss.reference(problem, inputs);
  const device = await testDevice();
  for (const call of quadrupletLoss.calls(problem, device.traits)) {
    const { dembeddings } = await runKernel(device, call, inputs);
    assertWithin(call.variant, dembeddings, expected.dembeddings.value, expected.dembeddings.error);
    // No anchor takes the second of two equal candidates, so that only its own hinges pull at item 1: twice toward item
    // 2, once away from 4 and from 6, over 16 hinges and the distance sqrt(2).
    const unit = 1 / 16 / Math.SQRT2;
    assertWithin(
      `${call.variant}: item 1`,
      dembeddings.subarray(8, 16),
      [0, 0, -2, 0, 1, 0, 1, 0].map((pull) => pull * unit),
      new Array<number>(8).fill(1e-6),
    );
  }
});

test('quadruplet_loss: equal embeddings give the margin, and no gradient', async () => {
  const problem: QuadrupletLossProblem = { count: 6, width: 4 };
  const inputs: Values = {
    embeddings: Float64Array.from({ length: 24 }, () => 0.5),
    labels: Float64Array.of(0, 0, 1, 1, 2, 2),
    domains: Float64Array.of(0, 1, 0, 1, 0, 1),
  };
  const device = await testDevice();
  for (const call of quadrupletLoss.calls(problem, device.traits)) {
    const { loss, dembeddings } = await runKernel(device, call, inputs);
    assertWithin(call.variant, loss, [0.2], [1e-6]);
    assert.ok(
      dembeddings.every((value) => value === 0),
      call.variant,
    );
  }
  // Without a margin each hinge is exactly 0, which is not active.
  for (const call of quadrupletLoss.calls({ ...problem, margin: 0 }, device.traits)) {
    const { statistics } = await runKernel(device, call, inputs);
    assert.is(statistics[QUADRUPLET_STATISTICS.indexOf('valid hinges')], 12, call.variant);
    assert.is(statistics[QUADRUPLET_STATISTICS.indexOf('active hinges')], 0, call.variant);
  }
});

test('quadruplet_loss: anchors without a positive give no hinge, those without a negative of a domain lack one', async () => {
  const problem: QuadrupletLossProblem = { count: 3, width: 4 };
  const inputs: Values = {
    embeddings: Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0),
    labels: Float64Array.of(0, 0, 1),
    domains: Float64Array.of(0, 1, 1),
  };
  const device = await testDevice();
  for (const call of quadrupletLoss.calls(problem, device.traits)) {
    // Sketch 0 and photo 1 have each other as positive and photo 2 as only negative; photo 2 has no positive.
    const { statistics } = await runKernel(device, call, inputs);
    assert.is(statistics[QUADRUPLET_STATISTICS.indexOf('valid hinges')], 2, call.variant);
  }
});

test('quadruplet_loss: random mining follows the seed', async () => {
  const problem: QuadrupletLossProblem = { count: 40, width: 16, mining: 'random' };
  const inputs = quadrupletLoss.sampleInputs?.(problem, uniformNumbers(2)) ?? {};
  const device = await testDevice();
  for (const call of quadrupletLoss.calls(problem, device.traits)) {
    const lossOf = async (seed: number): Promise<number> =>
      (await runKernel(device, call, { ...inputs, seed: [seed] })).loss[0];
    assert.is(await lossOf(1), await lossOf(1), call.variant);
    assert.is.not(await lossOf(1), await lossOf(2), call.variant);
  }
});

test('quadruplet_loss: a NaN or an infinite number in one embedding makes the loss and every gradient NaN', async () => {
  const device = await testDevice();
  for (const [title, options] of Object.entries({
    hardest: {},
    'semi-hard': { mining: 'semi-hard' },
    random: { mining: 'random' },
    'one hinge': { form: 'one-hinge' },
    'two pairs': { form: 'two-pairs' },
  } as const)) {
    const problem: QuadrupletLossProblem = { count: 8, width: 4, ...options };
    const inputs = quadrupletLoss.sampleInputs?.(problem, uniformNumbers(1)) ?? {};
    for (const [what, places] of [
      [NaN, [9]],
      [Infinity, [9]],
      [NaN, [...Array(32).keys()]],
    ] as const) {
      const embeddings = Float64Array.from(inputs.embeddings);
      for (const place of places) embeddings[place] = what;
      for (const call of quadrupletLoss.calls(problem, device.traits)) {
        const { loss, dembeddings } = await runKernel(device, call, { ...inputs, embeddings });
        const where = `${title}, ${call.variant}, ${places.length} times ${what}`;
        assert.ok(Number.isNaN(loss[0]), `${where}: loss ${loss[0]}`);
        assert.ok(dembeddings.every(Number.isNaN), where);
      }
    }
  }
});

test.run();
