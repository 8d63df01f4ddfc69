import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { oneHot } from '../../../kernels/layout/one-hot.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

test('one_hot: a label that is no class gives NaN in its row alone', async () => {
  const device = await testDevice();
  for (const call of oneHot.calls({ rows: 3, classes: 2, on: 1, off: 0 }, device.traits)) {
    const { values } = await runKernel(device, call, { labels: [1, 2, 0] });
    assert.equal(Array.from(values), [0, 1, NaN, NaN, 1, 0], call.variant);
  }
});

test.run();
