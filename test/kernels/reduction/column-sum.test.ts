import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { columnSum } from '../../../kernels/reduction/column-sum.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { uniformNumbers } from '../../support/kernel-test.ts';

test('column_sum: two runs agree bit by bit', async () => {
  const device = await testDevice();
  const problem = { rows: 3001, channels: 20 };
  const x = Float64Array.from({ length: 3001 * 20 }, uniformNumbers(1));
  for (const call of columnSum.calls(problem, device.traits)) {
    assert.equal(await runKernel(device, call, { x }), await runKernel(device, call, { x }), call.variant);
  }
});

test.run();
