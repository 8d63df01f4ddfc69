import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { batchNorm } from '../../../kernels/normalization/batch-norm.ts';
import { batchNormGradient } from '../../../kernels/normalization/batch-norm-gradient.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { assertGradient, weightedSum } from '../../support/finite-differences.ts';
import { uniformNumbers } from '../../support/kernel-test.ts';

test('batch_norm_gradient: the reference agrees with finite differences of the forward reference', () => {
  const problem = { rows: 11, channels: 3, epsilon: 1e-3, residual: true, relu: true };
  const uniform = uniformNumbers(3);
  const numbers = (length: number): Float64Array => Float64Array.from({ length }, uniform);
  const inputs = { x: numbers(33), gamma: numbers(3), beta: numbers(3), residual: numbers(33) };
  const dy = numbers(33);
  const forward = batchNorm.reference(problem, inputs);
  assert.ok(
    forward.y.value.some((value) => value === 0) && forward.y.value.some((value) => value > 0),
    'the ReLU must cut some',
  );
  const gradients = batchNormGradient.reference(problem, {
    ...inputs,
    y: forward.y.value,
    dy,
    mean: forward.mean.value,
    inverseDeviation: forward.inverseDeviation.value,
  });
  for (const name of ['x', 'gamma', 'beta', 'residual'] as const) {
    const loss = (moved: Float64Array): number =>
      weightedSum(dy, batchNorm.reference(problem, { ...inputs, [name]: moved }).y.value);
    assertGradient(`d${name}`, loss, inputs[name], gradients[`d${name}`].value);
  }
});

test('batch_norm_gradient: no gradient passes where y is zero, and a NaN in y is not hidden', async () => {
  const device = await testDevice();
  const problem = { rows: 12, channels: 4, relu: true, residual: true };
  const inputs = { ...batchNormGradient.sampleInputs?.(problem, uniformNumbers(5)) };
  inputs.y = inputs.y.map((_, i) => (i % 4 === 0 ? -0 : i === 5 ? NaN : 1));
  for (const call of batchNormGradient.calls(problem, device.traits)) {
    const { dresidual, dbeta } = await runKernel(device, call, inputs);
    dresidual.forEach((value, i) =>
      assert.is(value, i % 4 === 0 ? 0 : inputs.dy[i], `${call.variant}: dresidual[${i}]`),
    );
    assert.is(dbeta[0], 0, call.variant);
  }
});

test('batch_norm_gradient: two runs agree bit by bit', async () => {
  const device = await testDevice();
  const problem = { rows: 3001, channels: 20, relu: true, residual: true };
  const inputs = batchNormGradient.sampleInputs?.(problem, uniformNumbers(6)) ?? {};
  for (const call of batchNormGradient.calls(problem, device.traits)) {
    assert.equal(await runKernel(device, call, inputs), await runKernel(device, call, inputs), call.variant);
  }
});

test.run();
