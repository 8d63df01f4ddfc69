import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { reluGradient } from '../../../kernels/elementwise/relu-gradient.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

test('relu_gradient: zero of either sign passes nothing; a NaN in y or dy is not hidden', async () => {
  const device = await testDevice();
  const y = Float64Array.of(0, -0, 1, NaN);
  const dy = Float64Array.of(5, 5, NaN, 5);
  for (const call of reluGradient.calls({ count: 4 }, device.traits)) {
    const { dx } = await runKernel(device, call, { y, dy });
    assert.equal([...dx], [0, 0, NaN, 5], call.variant);
  }
});

test.run();
