import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gradient } from '../../src/autodiff/gradient.ts';
import { softmaxCrossEntropy } from '../../src/autodiff/ops/losses.ts';
import { globalAveragePool, maxPool } from '../../src/autodiff/ops/pooling.ts';
import { Program } from '../../src/autodiff/program.ts';
import { Storage } from '../../src/autodiff/storage.ts';
import { input, type Tensor } from '../../src/autodiff/tensor.ts';
import { Network, Pass } from '../../src/nn/layers.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';

const BATCH = 6;
const SIZE = 8;
const CLASSES = 3;
/** Less than the activations of 32 channels, 49152 bytes; more than those of 8, than the weights and than a block of rows. */
const SMALL_BINDING = 32768;

test('a network whose activations no binding holds: loss and all gradients have the bits of the unsliced run', async () => {
  const network = new Network();
  const narrow = network.convolutionWeight('narrow.weight', 5, 4, 8);
  const narrowNorm = network.batchNorm('narrow norm', 8);
  const wide = network.convolutionWeight('wide.weight', 1, 8, 32);
  const wideNorm = network.batchNorm('wide norm', 32);
  const shortcut = network.convolutionWeight('shortcut.weight', 1, 8, 32);
  const shortcutNorm = network.batchNorm('shortcut norm', 32);
  const linear = network.linear('linear', 32, CLASSES);

  const pass = new Pass(network, 'train');
  const hidden = pass.convolutionBatchNorm(input('images', [BATCH, SIZE, SIZE, 4]), narrow, narrowNorm, { padding: 2, relu: true });
  const residual = pass.convolutionBatchNorm(hidden, shortcut, shortcutNorm);
  const block = pass.convolutionBatchNorm(hidden, wide, wideNorm, { residual, relu: true });
  const pooled = maxPool(block, { window: 3, stride: 2, padding: 1 });
  const loss = softmaxCrossEntropy(linear.apply(globalAveragePool(pooled)), input('labels', [BATCH], 'u32'));
  const names = [...network.parameters.entries.keys()];
  const computed = gradient(loss, names.map((name) => network.parameters.get(name)));
  const outputs: Record<string, Tensor> = { loss, ...Object.fromEntries(names.map((name, index) => [name, computed[index]])) };

  const storage = new Storage(await testDevice());
  await initializeNetwork(network, storage, 1);
  const whole = await Program.compile(storage, { outputs });
  const sliced = await Program.compile(storage, { outputs, maxBindingBytes: SMALL_BINDING });
  assert.equal(sliced.plan.calls.map(({ call }) => call.variant), whole.plan.calls.map(({ call }) => call.variant), 'a variant was ruled out');
  const cut = new Set(sliced.plan.calls.filter(({ call }) => call.dispatches.some(({ windows }) => windows !== undefined)).map(({ kernel }) => kernel.name));
  assert.equal([...cut].sort(), ['batch_norm_gradient', 'convolution_data_gradient', 'convolution_statistics', 'convolution_weight_gradient', 'max_pool', 'max_pool_gradient', 'normalize']);

  const uniform = uniformNumbers(5);
  const feeds = { images: Float32Array.from({ length: BATCH * SIZE * SIZE * 4 }, uniform), labels: Uint32Array.from({ length: BATCH }, (_, index) => index % CLASSES) };
  const [expected, actual] = [await whole.run(feeds), await sliced.run(feeds)];
  for (const name of Object.keys(outputs)) {
    assert.ok(expected[name].some((value) => value !== 0), `${name} is all zeros`);
    assert.equal(new Uint32Array(actual[name].buffer), new Uint32Array(expected[name].buffer), name);
  }
  for (const program of [whole, sliced]) program.destroy();
  storage.destroy();
});

test.run();
