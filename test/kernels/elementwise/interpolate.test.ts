import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { interpolate } from '../../../kernels/elementwise/interpolate.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

test('interpolate: a gate that counts non-finite gradients keeps the running values', async () => {
  const device = await testDevice();
  for (const call of interpolate.calls({ count: 5, momentum: 0.5 }, device.traits)) {
    const { running } = await runKernel(device, call, {
      running: [1, 2, 3, 4, 5],
      batch: [9, 9, 9, 9, NaN],
      gate: [1, 4],
    });
    assert.equal(Array.from(running), [1, 2, 3, 4, 5], call.variant);
  }
});

test.run();
