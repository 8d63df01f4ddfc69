import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { l2Normalize } from '../../../kernels/normalization/l2-normalize.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

test('l2_normalize: a row of zeros stays zero, and a NaN stays in its row', async () => {
  const device = await testDevice();
  const x = Float64Array.of(0, 0, 0, 3, 0, 4, 1, NaN, 1);
  for (const call of l2Normalize.calls({ rows: 3, width: 3 }, device.traits)) {
    const { f, norm } = await runKernel(device, call, { x });
    assert.equal([...f.subarray(0, 3)], [0, 0, 0], call.variant);
    assert.is(norm[0], 0, call.variant);
    assert.ok(Math.abs(f[3] - 0.6) < 1e-6 && Math.abs(f[5] - 0.8) < 1e-6, call.variant);
    assert.equal([...f.subarray(6)].map(Number.isNaN), [true, true, true], call.variant);
  }
});

test.run();
