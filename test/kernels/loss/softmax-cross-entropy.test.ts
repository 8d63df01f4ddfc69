import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { softmaxCrossEntropy, type SoftmaxCrossEntropyProblem } from '../../../kernels/loss/softmax-cross-entropy.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { assertWithin, uniformNumbers } from '../../support/kernel-test.ts';

test('softmax_cross_entropy: logits far apart and far from zero neither overflow nor vanish', async () => {
  const device = await testDevice();
  const problem: SoftmaxCrossEntropyProblem = { rows: 4, classes: 3, targets: 'hard' };
  const inputs = {
    logits: Float64Array.of(1e4, 1e4, 1e4, 1e30, -1e30, 0, -1e4, -1e4, -1e4 - 1, 0, 2e4, 0),
    targets: Float64Array.of(0, 0, 2, 0),
  };
  const expected = softmaxCrossEntropy.reference(problem, inputs);
  for (const call of softmaxCrossEntropy.calls(problem, device.traits)) {
    const actual = await runKernel(device, call, inputs);
    // Exponentials below float32's range are 0 on the device: the bound of a quantity that is itself 0 is 1e-37.
    assertWithin(
      `${call.variant}: dlogits`,
      actual.dlogits,
      expected.dlogits.value,
      expected.dlogits.error.map((error) => (error > 0 ? error : 1e-37)),
    );
    assert.ok(
      Math.abs(actual.loss[0] - (Math.log(3) + 0 + 1 + Math.log(2 + Math.exp(-1)) + 2e4) / 4) < 0.01,
      call.variant,
    );
  }
});

test('softmax_cross_entropy: rows without a softmax give NaN, excluded classes do not', async () => {
  const device = await testDevice();
  const problem: SoftmaxCrossEntropyProblem = { rows: 1, classes: 3, targets: 'hard' };
  for (const call of softmaxCrossEntropy.calls(problem, device.traits)) {
    for (const logits of [
      [0, NaN, 0],
      [-Infinity, -Infinity, -Infinity],
      [Infinity, 0, 0],
    ]) {
      const { loss, dlogits } = await runKernel(device, call, {
        logits: Float64Array.from(logits),
        targets: Float64Array.of(2),
      });
      assert.ok([...loss, ...dlogits].every(Number.isNaN), `${call.variant}, ${logits}: ${loss[0]}, ${dlogits}`);
    }
    const excluded = await runKernel(device, call, {
      logits: Float64Array.of(-Infinity, 0, 0),
      targets: Float64Array.of(2),
    });
    assertWithin(
      call.variant,
      [...excluded.loss, ...excluded.dlogits],
      [Math.LN2, 0, 0.5, -0.5],
      [1e-6, 0, 1e-6, 1e-6],
    );
    const impossible = await runKernel(device, call, {
      logits: Float64Array.of(-Infinity, 0, 0),
      targets: Float64Array.of(0),
    });
    assert.is(impossible.loss[0], Infinity, call.variant);
  }
});

test('softmax_cross_entropy: the gradient of the reference agrees with finite differences', () => {
  for (const targets of ['hard', 'soft'] as const) {
    const problem: SoftmaxCrossEntropyProblem = { rows: 3, classes: 5, targets, temperature: 0.5 };
    const inputs = softmaxCrossEntropy.sampleInputs?.(problem, uniformNumbers(3)) ?? {};
    const gradient = softmaxCrossEntropy.reference(problem, inputs).dlogits.value;
    const lossAt = (index: number, step: number): number => {
      const logits = Float64Array.from(inputs.logits);
      logits[index] += step;
      return softmaxCrossEntropy.reference(problem, { ...inputs, logits }).loss.value[0];
    };
    const step = 1e-5;
    const differences = gradient.map((_, i) => (lossAt(i, step) - lossAt(i, -step)) / (2 * step));
    assertWithin(
      targets,
      gradient,
      differences,
      gradient.map(() => 1e-8),
    );
  }
});

test('softmax_cross_entropy: equal logits of 65,536 classes are added without loss of digits', async () => {
  const device = await testDevice();
  const classes = 2 ** 16 + 1;
  for (const targets of ['hard', 'soft'] as const) {
    const problem: SoftmaxCrossEntropyProblem = { rows: 1, classes, targets };
    const logits = Float64Array.from({ length: classes }, (_, c) => (c === 7 ? 0 : -1));
    const inputs = {
      logits,
      targets: targets === 'hard' ? Float64Array.of(3) : new Float64Array(classes).fill(Math.fround(1 / classes)),
    };
    const expected = softmaxCrossEntropy.reference(problem, inputs);
    for (const call of softmaxCrossEntropy.calls(problem, device.traits)) {
      const { loss, dlogits } = await runKernel(device, call, inputs);
      assertWithin(`${call.variant}: loss`, loss, expected.loss.value, [1e-5]);
      assertWithin(`${call.variant}: dlogits`, dlogits, expected.dlogits.value, expected.dlogits.error);
    }
  }
});

test.run();
