import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convolution, type ConvolutionProblem } from '../../kernels/convolution.ts';
import { convolutionDataGradient } from '../../kernels/convolution_data_gradient.ts';
import { convolutionF16 } from '../../kernels/convolution_f16.ts';
import { convolutionStatistics } from '../../kernels/convolution_statistics.ts';
import { convolutionWeightGradient } from '../../kernels/convolution_weight_gradient.ts';
import type { Kernel, KernelCall } from '../../kernels/kernel.ts';
import type { AdapterTraits } from '../../src/gpu/dispatch.ts';
import { runKernel } from '../../src/gpu/run-kernel.ts';
import { assertWithin, uniformNumbers } from '../support/kernel-test.ts';
import { invocations } from '../../kernels/tiles.ts';
import { sampleInputs } from '../../src/tuning/qualification.ts';
import { testDevice } from '../support/device.ts';

const SHAPE = { batch: 1, height: 9, width: 15, inputChannels: 36, outputChannels: 68, kernel: [3, 3], stride: [2, 2], padding: [1, 1] } as const;
const isTiled = ({ variant }: KernelCall): boolean => variant.startsWith('tiled 32x32');

async function check<Problem>(kernel: Kernel<Problem>, problem: Problem, calls: readonly KernelCall[]): Promise<void> {
  const device = await testDevice();
  const inputs = sampleInputs(kernel, problem, calls[0], uniformNumbers(1));
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

// What processors are not offered: the large tiles, in each of the ways in which steps end or do not.
const WHOLE: ConvolutionProblem = { batch: 1, height: 13, width: 15, inputChannels: 48, outputChannels: 140, kernel: [1, 1], stride: [1, 1], padding: [0, 0] };
const UNROLLED: readonly (readonly [Kernel<never>, ConvolutionProblem & { readonly epsilon?: number }])[] = [
  [convolution, { ...SHAPE, epilogue: { residual: true, relu: true } }],
  [convolutionDataGradient, { ...WHOLE, outputChannels: 144, inputChannels: 132 }],
  [convolutionStatistics, { ...WHOLE, epsilon: 1e-5 }],
  [convolutionStatistics, { ...SHAPE, inputChannels: 16, outputChannels: 132, epsilon: 1e-5 }],
  [convolutionWeightGradient, SHAPE],
  [convolutionWeightGradient, { ...WHOLE, height: 16, width: 16 }],
  [convolutionF16, WHOLE],
] as never;

for (const [kernel, problem] of UNROLLED) {
  test(`unrolled, as a GPU gets them, the tiles of ${kernel.name} calculate the same: ${JSON.stringify(problem)}`, async () => {
    const { traits } = await testDevice();
    const calls = kernel.calls(problem as never, { ...traits, kind: 'gpu' }).filter(({ variant }) => variant.startsWith('tiled 128x'));
    if (kernel.name !== 'convolution_f16' || traits.f16 === true) assert.ok(calls.length >= 2 && calls.some(({ variant }) => variant.includes('128x128x16 by 16x8')));
    assert.ok(calls.every(({ dispatches }) => dispatches[0].constants?.UNROLLED === true));
    if (calls.length > 0) await check(kernel as Kernel<unknown>, problem, calls);
  });
}

test('a GPU prefers tiles, a processor with subgroups registers', async () => {
  const { traits } = await testDevice();
  for (const kernel of [convolution, convolutionWeightGradient]) {
    assert.match(kernel.calls(SHAPE, { ...traits, kind: 'gpu' })[0].variant, /^tiled/);
    assert.not.match(kernel.calls(SHAPE, { ...traits, kind: 'cpu', subgroupSize: 4 })[0].variant, /^tiled/);
  }
});

test('tiles that an adapter has no room for are not offered', async () => {
  const { traits } = await testDevice();
  const small: AdapterTraits = { ...traits, kind: 'gpu', maxWorkgroupInvocations: 128, maxWorkgroupStorageBytes: 15_000 };
  // Winograd's products are cut by the same tiles.
  const winograd = convolution.calls({ ...SHAPE, stride: [1, 1] }, small).filter(({ variant }) => variant.startsWith('winograd'));
  assert.ok(winograd.length > 0 && winograd.every(({ product }) => (product?.workgroupBytes ?? Infinity) <= 15_000));
  for (const kernel of [convolution, convolutionWeightGradient]) {
    const tiled = kernel.calls(SHAPE, small).filter(({ product }) => product !== undefined);
    assert.ok(tiled.length > 0);
    for (const { variant, product } of tiled) assert.ok(product !== undefined && product.workgroupBytes <= 15_000 && invocations(product.tile) <= 128, variant);
    assert.ok(tiled.length < kernel.calls(SHAPE, { ...small, maxWorkgroupInvocations: 256, maxWorkgroupStorageBytes: 32768 }).filter(({ product }) => product !== undefined).length);
  }
});

test.run();
