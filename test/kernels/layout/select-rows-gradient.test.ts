import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { selectRowsGradient } from '../../../kernels/layout/select-rows-gradient.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { uniformNumbers } from '../../support/kernel-test.ts';

test('select_rows_gradient: all of a batch may select one row; an index that is no row is passed over', async () => {
  const device = await testDevice();
  const [tableRows, count, width] = [5, 3000, 4];
  const uniform = uniformNumbers(1);
  // Multiples of 1/16, whose sums are exact.
  const drows = Float64Array.from({ length: count * width }, () => Math.round(16 * uniform()) / 16);
  const indices = Float64Array.from({ length: count }, (_, i) => (i % 100 === 7 ? 5 + i : 3));
  const expected = new Float32Array(tableRows * width);
  indices.forEach((row, i) => {
    for (let k = 0; k < width && row < tableRows; k++) expected[row * width + k] += drows[i * width + k];
  });
  for (const call of selectRowsGradient.calls({ tableRows, count, width }, device.traits)) {
    assert.equal((await runKernel(device, call, { indices, drows })).dtable, expected, call.variant);
  }
});

test.run();
