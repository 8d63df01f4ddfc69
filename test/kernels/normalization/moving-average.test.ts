import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { movingAverage } from '../../../kernels/normalization/moving-average.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

test('moving_average: a gate that counts non-finite gradients keeps the average', async () => {
  const device = await testDevice();
  for (const call of movingAverage.calls({ count: 5 }, device.traits)) {
    const { average } = await runKernel(device, call, {
      average: [1, 2, 3, 4, 5],
      values: [9, 9, 9, 9, NaN],
      share: [0.5],
      gate: [1, 4],
    });
    assert.equal(Array.from(average), [1, 2, 3, 4, 5], call.variant);
  }
});

test('moving_average: what equals its average stays, whatever the share', async () => {
  const device = await testDevice();
  for (const call of movingAverage.calls({ count: 4 }, device.traits)) {
    const values = [1e-8, 0.1, -3, 1e8].map(Math.fround);
    const { average } = await runKernel(device, call, { average: values, values, share: [0.3], gate: [0, 0xffffffff] });
    assert.equal(Array.from(average), values, call.variant);
  }
});

test.run();
