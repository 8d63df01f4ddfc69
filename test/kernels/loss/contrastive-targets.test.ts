import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { contrastiveTargets } from '../../../kernels/loss/contrastive-targets.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

test('contrastive_targets: an item is no positive of its own, and without positives its row is 0', async () => {
  const device = await testDevice();
  const [labels, domains] = [
    [7, 7, 7, 2],
    [0, 1, 1, 0],
  ];
  for (const [positives, expected] of [
    ['any', [0, 0.5, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0.5, 0, 0, 0, 0, 0, 0]],
    ['other-domain', [0, 0.5, 0.5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]],
  ] as const) {
    for (const call of contrastiveTargets.calls({ count: 4, positives }, device.traits)) {
      const { targets } = await runKernel(device, call, { labels, domains });
      assert.equal(Array.from(targets), expected, positives);
    }
  }
});

test.run();
