import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fewestPipelines } from '../../src/autodiff/fewest-pipelines.ts';
import { Program } from '../../src/autodiff/program.ts';
import { planProgram } from '../../src/autodiff/compile-program.ts';
import { DeviceStorage } from '../../src/autodiff/device-storage.ts';
import { input, type Tensor } from '../../src/autodiff/tensor.ts';
import { RetrievalNetwork, type RetrievalNetworkSettings } from '../../src/nn/retrieval-network.ts';
import { initializeNetwork } from '../../src/nn/state.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';

/** A quarter-width ResNet50 as the page searches with it; the side is no multiple of the network's stride. */
const SIDE = 45;

const settings = (width: number): RetrievalNetworkSettings => ({
  width,
  stride: 'v1.5',
  batchNormEpsilon: 1e-5,
  batchNormMomentum: 0.1,
  embedding: 20,
  classes: 2,
  teacherClasses: 0,
});

/** @returns its embedding of some image, and how many pipelines it compiled */
async function embed(
  selector: typeof fewestPipelines | undefined,
  side = SIDE,
): Promise<{ readonly row: Float32Array; readonly pipelines: number }> {
  const network = new RetrievalNetwork(settings(0.25));
  const storage = new DeviceStorage(await testDevice(), selector);
  await initializeNetwork(network, storage, 1);
  let pipelines = 0;
  const images: Tensor = input('images', [1, side, side, 4]);
  const program = await Program.compile(storage, {
    outputs: { row: network.apply(images, 'eval').embeddings },
    frozen: true,
    onProgress: (_, total) => (pipelines = total),
  });
  const uniform = uniformNumbers(2);
  const { row } = await program.run({ images: Float32Array.from({ length: images.length }, uniform) });
  program.destroy();
  storage.destroy();
  return { row, pipelines };
}

test('a small network compiles one pipeline for all its convolutions, and computes the same', async () => {
  const [preferred, fewest] = [await embed(undefined), await embed(fewestPipelines)];
  // Convolution, folding, two kinds of pooling, bias and normalization.
  assert.is(fewest.pipelines, 6);
  assert.ok(preferred.pipelines > 2 * fewest.pipelines, `${preferred.pipelines} pipelines otherwise`);
  const distance = Math.sqrt(preferred.row.reduce((sum, value, index) => sum + (value - fewest.row[index]) ** 2, 0));
  // Rows of length 1, after 53 convolutions of 64 to 4,608 products: twice 53 roundings of sums whose error grows by the
  // root of their length.
  assert.ok(distance < 2 * 53 * 2 ** -24, `${distance} apart`);
  assert.ok(distance > 0, 'other variants sum in another order');
});

test('a large program gets what its kernels prefer', async () => {
  const network = new RetrievalNetwork(settings(1));
  const storage = new DeviceStorage(await testDevice(), fewestPipelines);
  const row = network.apply(input('images', [1, 64, 64, 4]), 'eval').embeddings;
  const chosen = (await planProgram(storage, { outputs: { row }, frozen: true })).calls.map(({ call }) => call.variant);
  storage.destroy();
  assert.ok(chosen.length > 50);
  assert.not.ok(chosen.includes('direct loops'));
});

test.run();
