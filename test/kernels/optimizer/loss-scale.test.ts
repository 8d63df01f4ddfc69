import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lossScale } from '../../../kernels/optimizer/loss-scale.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

/** Scale, good steps and skipped steps after one step. */
async function after(nonFinite: number, [scale, good, skipped]: readonly number[], interval = 4): Promise<number[]> {
  const [call] = lossScale.calls({ groups: 1, interval }, (await testDevice()).traits);
  const results = await runKernel(await testDevice(), call, {
    report: [nonFinite, 0],
    scale: [scale],
    steps: [good, skipped],
    groupSettings: [1, 0, 1, 0],
  });
  assert.equal(
    [...results.scaledSettings],
    [1, 0, 1 / scale, 0],
    'the scale of the step itself is undone, not the next one',
  );
  return [...results.scale, ...results.steps];
}

test('loss_scale: a good step is counted, and enough of them double the scale', async () => {
  assert.equal(await after(0, [2 ** 16, 0, 5]), [2 ** 16, 1, 5]);
  assert.equal(await after(0, [2 ** 16, 3, 5]), [2 ** 17, 0, 5]);
});

test('loss_scale: any number of gradients that are not finite halves it, and the count of good steps begins anew', async () => {
  for (const nonFinite of [1, 4e9]) assert.equal(await after(nonFinite, [2 ** 16, 3, 5]), [2 ** 15, 0, 6]);
});

test('loss_scale: it stays between 2^-24 and 2^24', async () => {
  assert.equal(await after(0, [2 ** 24, 3, 0]), [2 ** 24, 0, 0]);
  assert.equal(await after(7, [2 ** -24, 3, 0]), [2 ** -24, 0, 1]);
});

test.run();
