import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convolution } from '../../../kernels/convolution/forward.ts';
import type { ConvolutionProblem } from '../../../kernels/convolution/problem.ts';
import { convolutionWeightGradient } from '../../../kernels/convolution/weight-gradient.ts';
import type { KernelCall } from '../../../kernels/kernel.ts';
import type { AdapterTraits } from '../../../kernels/contract/adapter-traits.ts';
import { invocations } from '../../../kernels/contract/tiles.ts';
import { checkCalls, SHAPE } from '../../support/convolution-tiles.ts';
import { testDevice } from '../../support/device.ts';

const isTiled = ({ variant }: KernelCall): boolean => variant.startsWith('tiled 32x32');

test('a grid longer than a dimension allows is folded', async () => {
  const { traits } = await testDevice();
  const problem: ConvolutionProblem = { ...SHAPE, stride: [1, 1], inputChannels: 8 };
  const calls = convolution.calls(problem, { ...traits, maxWorkgroupsPerDimension: 4 }).filter(isTiled);
  assert.equal(
    calls.map(({ dispatches }) => dispatches[0].workgroups),
    [[4, 4, 1]],
    '5 tiles of pixels by 3 of channels',
  );
  await checkCalls(convolution, problem, calls);
});

test('a GPU prefers tiles, a processor with subgroups registers', async () => {
  const { traits } = await testDevice();
  for (const kernel of [convolution, convolutionWeightGradient]) {
    assert.match(kernel.calls(SHAPE, { ...traits, kind: 'gpu' })[0].variant, /^tiled/);
    assert.not.match(kernel.calls(SHAPE, { ...traits, kind: 'cpu', subgroupSize: 4 })[0].variant, /^tiled/);
  }
});

test('tiles that an adapter has no room for are not offered', async () => {
  const { traits } = await testDevice();
  const small: AdapterTraits = {
    ...traits,
    kind: 'gpu',
    maxWorkgroupInvocations: 128,
    maxWorkgroupStorageBytes: 15_000,
  };
  // Winograd's products are cut by the same tiles.
  const winograd = convolution
    .calls({ ...SHAPE, stride: [1, 1] }, small)
    .filter(({ variant }) => variant.startsWith('winograd'));
  assert.ok(winograd.length > 0 && winograd.every(({ product }) => (product?.workgroupBytes ?? Infinity) <= 15_000));
  for (const kernel of [convolution, convolutionWeightGradient]) {
    const tiled = kernel.calls(SHAPE, small).filter(({ product }) => product !== undefined);
    assert.ok(tiled.length > 0);
    for (const { variant, product } of tiled)
      assert.ok(product !== undefined && product.workgroupBytes <= 15_000 && invocations(product.tile) <= 128, variant);
    assert.ok(
      tiled.length <
        kernel
          .calls(SHAPE, { ...small, maxWorkgroupInvocations: 256, maxWorkgroupStorageBytes: 32768 })
          .filter(({ product }) => product !== undefined).length,
    );
  }
});

test.run();
