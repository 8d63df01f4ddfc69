import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { plan } from '../../src/autodiff/plan.ts';
import { input } from '../../src/autodiff/tensor.ts';
import type { AdapterTraits } from '../../kernels/contract/adapter-traits.ts';
import { sgdSettings } from '../../src/nn/optimizers/index.ts';
import { trainingUpdate } from '../../src/nn/training-update.ts';
import { Classifier } from '../../src/nn/retrieval-network.ts';

/** What every WebGPU adapter binds and launches. */
const LIMITS = { maxBindingBytes: 128 * 2 ** 20, maxWorkgroupsPerDimension: 65535 };
const SIZE = 224;
const CLASSES = 1000;

const general = {
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 16384,
  maxWorkgroupsPerDimension: LIMITS.maxWorkgroupsPerDimension,
} as const;
const adapters: Readonly<Record<string, AdapterTraits>> = {
  'a GPU': { ...general, kind: 'gpu', subgroupSize: 32 },
  lavapipe: { ...general, kind: 'cpu', subgroupSize: 8 },
  swiftshader: { ...general, kind: 'cpu', subgroupSize: 4 },
};

for (const [name, traits] of Object.entries(adapters)) {
  for (const batch of [43, 128, 1000]) {
    test(`ResNet50's training step with ${batch} images of ${SIZE} x ${SIZE} has a plan within the limits of every adapter: ${name}`, () => {
      const network = new Classifier({ classes: CLASSES });
      const { logits, batchStatistics } = network.apply(input('images', [batch, SIZE, SIZE, 4]), 'train');
      const loss = softmaxCrossEntropy(logits, input('labels', [batch], 'u32'));
      const { updates } = trainingUpdate(network, loss, batchStatistics, sgdSettings(1e-4));
      const { calls } = plan({
        outputs: [loss],
        updates,
        traits,
        maxBufferBytes: 2 ** 40,
        maxBindingBytes: LIMITS.maxBindingBytes,
      });
      for (const { call, label } of calls) {
        for (const { operands, windows, workgroups } of call.dispatches) {
          for (const operand of operands)
            assert.ok(
              (windows?.[operand]?.size ?? 4 * call.operands[operand].length) <= LIMITS.maxBindingBytes,
              `${label}: ${operand}`,
            );
          assert.ok(Math.max(...workgroups) <= LIMITS.maxWorkgroupsPerDimension, label);
        }
      }
      assert.ok(calls.some(({ call }) => call.dispatches.some(({ windows }) => windows !== undefined)));
    });
  }
}

test.run();
