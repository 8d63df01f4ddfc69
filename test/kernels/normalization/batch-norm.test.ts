import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { batchNorm, type BatchNormProblem } from '../../../kernels/normalization/batch-norm.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { assertWithin, uniformNumbers } from '../../support/kernel-test.ts';

function sample(
  { rows, channels, residual }: BatchNormProblem,
  element: (uniform: () => number) => number,
): Record<string, Float64Array> {
  const uniform = uniformNumbers(7);
  const vector = (): Float64Array => Float64Array.from({ length: channels }, uniform);
  const matrix = (make: () => number): Float64Array => Float64Array.from({ length: rows * channels }, make);
  const inputs = { x: matrix(() => Math.fround(element(uniform))), gamma: vector(), beta: vector() };
  return residual ? { ...inputs, residual: matrix(uniform) } : inputs;
}

/** Columns that a sum about a fixed shift gets wrong: by row, and a number in [-1, 1). */
const HARD_COLUMNS: Readonly<Record<string, (row: number, rows: number, uniform: number) => number>> = {
  'an outlier in the first row': (row, _, uniform) => (row === 0 ? 1e4 : uniform),
  'outliers in the first four rows': (row, _, uniform) => (row < 4 ? -1e4 : uniform),
  'a huge outlier': (row, _, uniform) => (row === 0 ? 1e15 : uniform),
  'an outlier in the last row': (row, rows, uniform) => (row === rows - 1 ? 1e4 : uniform),
  'an outlier in each eighth of the rows': (row, rows, uniform) => (row % Math.ceil(rows / 8) === 0 ? 1e4 : uniform),
  'a mean of 1e4 and a deviation of 1e-2': (_row, _, uniform) => 1e4 + 1e-2 * Math.sqrt(3) * uniform,
  'a mean of 1e7 and a deviation of 1': (_row, _, uniform) => 1e7 + Math.sqrt(3) * uniform,
  'two halves that differ': (row, rows, uniform) => (row < rows / 2 ? 1e3 : 0) + uniform,
};

test('batch_norm: neither an outlier nor a mean far from zero costs a digit', async () => {
  const device = await testDevice();
  const columns = Object.entries(HARD_COLUMNS);
  const channels = columns.length;
  for (const rows of [33, 1021, 5000, 40_000]) {
    const problem = { rows, channels, epsilon: 1e-5, residual: false, relu: false };
    let place = 0;
    const inputs = sample(problem, (uniform) => {
      const [, make] = columns[place % channels];
      return make(Math.floor(place++ / channels), rows, uniform());
    });
    const expected = batchNorm.reference(problem, inputs);
    // The bound itself: 2^-24 times some 100, the accuracy of PyTorch's float32 kernels.
    expected.variance.error.forEach((error, channel) =>
      assert.ok(error < 8e-6 * expected.variance.value[channel], columns[channel][0]),
    );
    for (const call of batchNorm.calls(problem, device.traits)) {
      const actual = await runKernel(device, call, inputs);
      for (const name of ['mean', 'variance', 'inverseDeviation'])
        assertWithin(
          `${call.variant}, ${rows} rows: ${name}`,
          actual[name],
          expected[name].value,
          expected[name].error,
        );
    }
  }
});

test('batch_norm: NaN, infinity and squares beyond float32 never look like numbers', async () => {
  const device = await testDevice();
  const channels = 8;
  for (const rows of [1, 2, 5, 300]) {
    const problem = { rows, channels, epsilon: 1e-5, residual: false, relu: true };
    const inputs = sample(problem, (uniform) => uniform());
    const last = channels * (rows - 1);
    inputs.x[last + 1] = NaN;
    inputs.x[last + 2] = Infinity;
    inputs.x[last + 3] = -Infinity;
    inputs.x[last + 4] = 1e20;
    for (const call of batchNorm.calls(problem, device.traits)) {
      const { variance, inverseDeviation, y } = await runKernel(device, call, inputs);
      const where = `${call.variant}, ${rows} rows`;
      assert.equal(
        [0, 1, 2, 3, 4, 5].map((channel) => Number.isFinite(variance[channel])),
        [true, false, false, false, rows === 1, true],
        where,
      );
      assert.equal(
        [0, 1, 2, 3, 4, 5].map((channel) => Number.isNaN(inverseDeviation[channel])),
        [false, true, true, true, rows > 1, false],
        where,
      );
      assert.is(variance[4], rows > 1 ? Infinity : 0, where);
      y.forEach((value, i) =>
        assert.is(
          Number.isNaN(value),
          [1, 2, 3, ...(rows > 1 ? [4] : [])].includes(i % channels),
          `${where}: y[${i}] is ${value}`,
        ),
      );
    }
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
