import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { globalAveragePool } from '../../../kernels/pooling/global-average-pool.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { assertWithin } from '../../support/kernel-test.ts';

test('global_average_pool: the mean of 400 x 400 equal pixels is that pixel, to some ten roundings', async () => {
  const device = await testDevice();
  const problem = { batch: 2, pixels: 160_000, channels: 4 };
  const value = Math.fround(0.1);
  const x = new Float64Array(2 * 160_000 * 4).fill(value);
  x[4 * 5 + 2] = NaN;
  for (const call of globalAveragePool.calls(problem, device.traits)) {
    const { y } = await runKernel(device, call, { x });
    assert.ok(Number.isNaN(y[2]), 'NaN goes on');
    // One sum after the other is off by 5e-4 here.
    assertWithin(
      call.variant,
      [...y].filter((_, i) => i !== 2),
      new Array<number>(7).fill(value),
      new Array<number>(7).fill(16 * 2 ** -24 * value),
    );
  }
});

test.run();
