import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { batchNorm, type BatchNormProblem } from '../../kernels/batch_norm.ts';
import { runKernel } from '../../src/gpu/run-kernel.ts';
import { testDevice } from '../support/device.ts';
import { assertWithin, testKernel, uniformNumbers } from '../support/kernel-test.ts';

testKernel(batchNorm);

function sample({ rows, channels, residual }: BatchNormProblem, element: (uniform: () => number) => number): Record<string, Float64Array> {
  const uniform = uniformNumbers(7);
  const vector = (): Float64Array => Float64Array.from({ length: channels }, uniform);
  const matrix = (make: () => number): Float64Array => Float64Array.from({ length: rows * channels }, make);
  const inputs = { x: matrix(() => Math.fround(element(uniform))), gamma: vector(), beta: vector() };
  return residual ? { ...inputs, residual: matrix(uniform) } : inputs;
}

test('batch_norm: a mean 10,000 deviations from zero costs the variance no more than three digits', async () => {
  const device = await testDevice();
  const problem = { rows: 5000, channels: 8, epsilon: 1e-5, residual: false, relu: false };
  const deviation = 0.1;
  const inputs = sample(problem, (uniform) => 1000 + deviation * Math.sqrt(3) * uniform());
  const expected = batchNorm.reference(problem, inputs);
  for (const call of batchNorm.calls(problem, device.traits)) {
    const actual = await runKernel(device, call, inputs);
    for (const [name, { value, error }] of Object.entries(expected)) assertWithin(`${call.variant}: ${name}`, actual[name], value, error);
    const variance = expected.variance.value;
    assertWithin(`${call.variant}: variance`, actual.variance, variance, variance.map((value) => 1e-3 * value));
  }
});

test('batch_norm: equal rows have no variance, and a single row neither', async () => {
  const device = await testDevice();
  for (const rows of [1, 300]) {
    const problem = { rows, channels: 4, epsilon: 1e-5, residual: false, relu: false };
    const inputs = sample(problem, () => 12345.678);
    for (const call of batchNorm.calls(problem, device.traits)) {
      const { variance, y } = await runKernel(device, call, inputs);
      assert.equal([...variance], [0, 0, 0, 0], call.variant);
      y.forEach((value, i) => assert.is(value, Math.fround(inputs.beta[i % 4]), call.variant));
    }
  }
});

test('batch_norm: a NaN makes its channel NaN, ReLU or not, and no other channel', async () => {
  const device = await testDevice();
  const problem = { rows: 40, channels: 8, epsilon: 1e-5, residual: true, relu: true };
  const inputs = sample(problem, (uniform) => uniform());
  inputs.x[8 * 21 + 3] = NaN;
  for (const call of batchNorm.calls(problem, device.traits)) {
    const { y } = await runKernel(device, call, inputs);
    y.forEach((value, i) => assert.is(Number.isNaN(value), i % 8 === 3, `${call.variant}: y[${i}] is ${value}`));
  }
});

test('batch_norm: two runs agree bit by bit', async () => {
  const device = await testDevice();
  const problem = { rows: 3001, channels: 20, epsilon: 1e-5, residual: true, relu: true };
  const inputs = sample(problem, (uniform) => uniform());
  for (const call of batchNorm.calls(problem, device.traits)) {
    assert.equal(await runKernel(device, call, inputs), await runKernel(device, call, inputs), call.variant);
  }
});

test.run();
