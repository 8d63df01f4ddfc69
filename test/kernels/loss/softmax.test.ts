import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { softmax } from '../../../kernels/loss/softmax.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { assertWithin } from '../../support/kernel-test.ts';

test('softmax: a class that is excluded, by -Infinity or by overflow, takes no part in the entropy; NaN does', async () => {
  const device = await testDevice();
  const rows: readonly (readonly number[])[] = [
    [-Infinity, 0, 0],
    [3e38, 3e38, -3e38],
    [5, -Infinity, -Infinity],
    [0, NaN, 0],
    [-Infinity, -Infinity, -Infinity],
  ];
  for (const call of softmax.calls({ rows: rows.length, classes: 3 }, device.traits)) {
    const { probabilities, entropy } = await runKernel(device, call, { logits: Float64Array.from(rows.flat()) });
    assertWithin(
      call.variant,
      probabilities.subarray(0, 9),
      [0, 0.5, 0.5, 0.5, 0.5, 0, 1, 0, 0],
      new Array<number>(9).fill(1e-6),
    );
    assertWithin(call.variant, entropy.subarray(0, 3), [Math.LN2, Math.LN2, 0], new Array<number>(3).fill(1e-6));
    assert.ok([...probabilities.subarray(9), ...entropy.subarray(3)].every(Number.isNaN), call.variant);
  }
});

test('softmax: 65,536 equal probabilities are each 2^-16', async () => {
  const device = await testDevice();
  const classes = 2 ** 16 + 1;
  // exp(-1) is added 65,536 times: one after the other that is off by 1e-3 and more.
  const logits = Float64Array.from({ length: classes }, (_, c) => (c === 7 ? 0 : -1));
  const { probabilities, entropy } = softmax.reference({ rows: 1, classes }, { logits });
  for (const call of softmax.calls({ rows: 1, classes }, device.traits)) {
    const actual = await runKernel(device, call, { logits });
    assertWithin(
      call.variant,
      actual.probabilities,
      probabilities.value,
      probabilities.value.map((value) => 1e-5 * value),
    );
    assertWithin(call.variant, actual.entropy, entropy.value, [2e-5]);
  }
});

test.run();
