import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { batchNorm } from '../../../kernels/normalization/batch-norm.ts';
import { normalize } from '../../../kernels/normalization/normalize.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { uniformNumbers } from '../../support/kernel-test.ts';

test('normalize: with the statistics of batch_norm it gives the bits of batch_norm', async () => {
  const device = await testDevice();
  const problem = { rows: 301, channels: 12, residual: true, relu: true };
  const uniform = uniformNumbers(3);
  const numbers = (length: number): Float64Array => Float64Array.from({ length }, uniform);
  const inputs = { x: numbers(301 * 12), gamma: numbers(12), beta: numbers(12), residual: numbers(301 * 12) };
  const [whole] = batchNorm.calls({ ...problem, epsilon: 1e-5 }, device.traits);
  const { y, mean, inverseDeviation } = await runKernel(device, whole, inputs);
  const [last] = normalize.calls(problem, device.traits);
  const again = await runKernel(device, last, {
    ...inputs,
    mean: Float64Array.from(mean),
    inverseDeviation: Float64Array.from(inverseDeviation),
  });
  assert.equal(again.y, y);
});

test.run();
