import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { relu } from '../../../kernels/elementwise/relu.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

test('relu: NaN stays NaN, infinities go where they belong', async () => {
  const device = await testDevice();
  const x = Float64Array.of(NaN, Infinity, -Infinity, 1, NaN, -1, 0, NaN);
  for (const length of [8, 7]) {
    for (const call of relu.calls({ count: length }, device.traits)) {
      const { y } = await runKernel(device, call, { x: x.subarray(0, length) });
      assert.equal([...y], [NaN, Infinity, 0, 1, NaN, 0, 0, NaN].slice(0, length), call.variant);
    }
  }
});

test.run();
