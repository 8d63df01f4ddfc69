import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convolution, type ConvolutionProblem } from '../../kernels/convolution.ts';
import { convolutionWeightGradient } from '../../kernels/convolution_weight_gradient.ts';
import type { Kernel, KernelCall } from '../../kernels/kernel.ts';
import type { AdapterTraits } from '../../src/gpu/dispatch.ts';
import { runKernel } from '../../src/gpu/run-kernel.ts';
import { assertWithin, uniformNumbers } from '../support/kernel-test.ts';
import { invocations } from '../../kernels/tiles.ts';
import { testDevice } from '../support/device.ts';

const SHAPE = { batch: 1, height: 9, width: 15, inputChannels: 36, outputChannels: 68, kernel: [3, 3], stride: [2, 2], padding: [1, 1] } as const;
const isTiled = ({ variant }: KernelCall): boolean => variant.startsWith('tiled 32x32');

async function check<Problem>(kernel: Kernel<Problem>, problem: Problem, calls: readonly KernelCall[]): Promise<void> {
  const device = await testDevice();
  const uniform = uniformNumbers(1);
  const given = Object.entries(calls[0].operands).filter(([, { role }]) => role === 'input');
  const inputs = Object.fromEntries(given.map(([name, { length }]) => [name, Float64Array.from({ length }, uniform)]));
  const expected = kernel.reference(problem, inputs);
  for (const call of calls) {
    const actual = await runKernel(device, call, inputs);
    for (const [name, { value, error }] of Object.entries(expected)) assertWithin(`${call.variant}: ${name}`, actual[name], value, error);
  }
}

test('a grid longer than a dimension allows is folded', async () => {
  const { traits } = await testDevice();
  const problem: ConvolutionProblem = { ...SHAPE, stride: [1, 1], inputChannels: 8 };
  const calls = convolution.calls(problem, { ...traits, maxWorkgroupsPerDimension: 4 }).filter(isTiled);
  assert.equal(calls.map(({ dispatches }) => dispatches[0].workgroups), [[4, 4, 1]], '5 tiles of pixels by 3 of channels');
  await check(convolution, problem, calls);
});

test('unrolled, as a GPU gets them, the tiles calculate the same', async () => {
  const { traits } = await testDevice();
  const gpu: AdapterTraits = { ...traits, kind: 'gpu' };
  for (const kernel of [convolution, convolutionWeightGradient]) {
    const calls = kernel.calls(SHAPE, gpu).filter(({ variant }) => variant.startsWith('tiled'));
    assert.ok(calls.length >= 4 && calls.every(({ dispatches }) => dispatches[0].constants?.UNROLLED === true));
    await check(kernel, SHAPE, calls);
  }
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
  const small: AdapterTraits = { ...traits, maxWorkgroupInvocations: 128, maxWorkgroupStorageBytes: 15_000 };
  for (const kernel of [convolution, convolutionWeightGradient]) {
    const tiled = kernel.calls(SHAPE, small).filter(({ product }) => product !== undefined);
    assert.ok(tiled.length > 0);
    for (const { variant, product } of tiled) assert.ok(product !== undefined && product.workgroupBytes <= 15_000 && invocations(product.tile) <= 128, variant);
    assert.ok(tiled.length < kernel.calls(SHAPE, { ...small, maxWorkgroupInvocations: 256, maxWorkgroupStorageBytes: 32768 }).filter(({ product }) => product !== undefined).length);
  }
});

test.run();
