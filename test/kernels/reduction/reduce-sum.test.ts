import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { reduceSum } from '../../../kernels/reduction/reduce-sum.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { uniformNumbers } from '../../support/kernel-test.ts';

test('reduce_sum: two runs give the same bits', async () => {
  const device = await testDevice();
  const problem = { count: 70001, factor: 1 };
  const values = Float64Array.from({ length: problem.count }, uniformNumbers(1));
  for (const call of reduceSum.calls(problem, device.traits)) {
    const first = await runKernel(device, call, { values });
    assert.equal(await runKernel(device, call, { values }), first);
  }
});

test.run();
