import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL_IN_RANGE, indexRange } from '../../kernels/index_range.ts';
import { runKernel } from '../../src/gpu/run-kernel.ts';
import { testDevice } from '../support/device.ts';
import { testKernel } from '../support/kernel-test.ts';

testKernel(indexRange);

test('index_range: none, the last possible index, the largest number', async () => {
  const device = await testDevice();
  for (const [indices, report] of [
    [[0, 9, 9], [0, ALL_IN_RANGE, 0]],
    [[0, 10, 11], [2, 1, 10]],
    [[4, 3, 2 ** 32 - 100], [1, 2, 2 ** 32 - 100]],
  ]) {
    for (const call of indexRange.calls({ count: 3, end: 10 }, device.traits)) {
      assert.equal([...(await runKernel(device, call, { indices: Float64Array.from(indices) })).report], report);
    }
  }
});

test.run();
