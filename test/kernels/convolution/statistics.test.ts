import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { expectedStatistics } from '../../../kernels/normalization/batch-norm-statistics.ts';
import { convolution } from '../../../kernels/convolution/forward.ts';
import { convolutionStatistics, type ConvolutionStatisticsProblem } from '../../../kernels/convolution/statistics.ts';
import { canStore } from '../../../kernels/contract/storage-type.ts';
import type { KernelCall } from '../../../kernels/kernel.ts';
import type { AdapterTraits } from '../../../kernels/contract/adapter-traits.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { expectedOf, sampleInputs } from '../../../src/tuning/qualification.ts';
import { testDevice } from '../../support/device.ts';
import { assertWithin, testModule, uniformNumbers } from '../../support/kernel-test.ts';

testModule('convolution', 'statistics');

const pointwise = {
  batch: 3,
  height: 11,
  width: 13,
  inputChannels: 8,
  outputChannels: 12,
  kernel: [1, 1],
  stride: [1, 1],
  padding: [0, 0],
  epsilon: 1e-5,
} as const;
const isFused = ({ variant }: { readonly variant: string }): boolean => variant.endsWith('with statistics');

test('on a GPU each tile with statistics stands before the same without, which can be sliced', () => {
  const variants = convolutionStatistics.calls(pointwise, {
    kind: 'gpu',
    subgroupSize: 0,
    maxWorkgroupInvocations: 256,
    maxWorkgroupStorageBytes: 32768,
    maxWorkgroupsPerDimension: 65535,
  });
  const fused = variants.filter(isFused);
  assert.is(fused.length, 6);
  assert.ok(isFused(variants[0]));
  for (const call of fused) {
    const apart = variants[variants.indexOf(call) + 1];
    assert.is(call.variant, `${apart.variant} with statistics`);
    assert.is(call.dispatches[0].slices, undefined);
    assert.ok(apart.dispatches[0].slices !== undefined);
  }
});

test("reduced as a GPU does, by row invocations that share a block: after split-K, and by both of Winograd's transforms, also over whole images", async () => {
  const device = await testDevice();
  const gpu = { ...device.traits, kind: 'gpu' } as const;
  const problems = [
    {
      batch: 1,
      height: 5,
      width: 6,
      inputChannels: 268,
      outputChannels: 68,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
      epsilon: 1e-5,
    },
    {
      batch: 3,
      height: 8,
      width: 5,
      inputChannels: 16,
      outputChannels: 20,
      kernel: [3, 3],
      stride: [1, 1],
      padding: [1, 1],
      epsilon: 1e-5,
    },
    {
      batch: 5,
      height: 7,
      width: 9,
      inputChannels: 16,
      outputChannels: 68,
      kernel: [3, 3],
      stride: [1, 1],
      padding: [1, 1],
      epsilon: 1e-5,
    },
  ] as const;
  for (const [index, problem] of problems.entries()) {
    const calls = convolutionStatistics
      .calls(problem, gpu)
      .filter((call) => isFused(call) && /^winograd|^tiled 64x32.* split-K/.test(call.variant));
    assert.ok(calls.length >= (index === 0 ? 1 : 2), `${calls.length} variants`);
    const inputs = sampleInputs(convolutionStatistics, problem, calls[0], uniformNumbers(index));
    const expected = convolutionStatistics.reference(problem, inputs);
    for (const call of calls) {
      const actual = await runKernel(device, call, inputs);
      for (const [name, { value, error }] of Object.entries(expectedOf(call, inputs, expected)))
        assertWithin(`${call.variant}: ${name}`, actual[name], value, error);
    }
  }
});

test('a variant in three passes has the bits of the convolution, and so has the fused one of the same tile', async () => {
  const device = await testDevice();
  const uniform = uniformNumbers(5);
  const numbers = (length: number): Float64Array => Float64Array.from({ length }, uniform);
  const inputs = { x: numbers(429 * 8), w: numbers(8 * 12) };
  const plain = convolution.calls(pointwise, device.traits);
  for (const call of convolutionStatistics.calls(pointwise, device.traits)) {
    const same = plain.find(({ variant }) => variant === call.variant.replace(' with statistics', ''));
    assert.ok(same, call.variant);
    assert.equal((await runKernel(device, call, inputs)).y, (await runKernel(device, same, inputs)).y, call.variant);
  }
});

const shapes = [
  { ...pointwise, inputChannels: 12 },
  { ...pointwise, batch: 1, height: 5, width: 6, inputChannels: 268, outputChannels: 268 },
  {
    ...pointwise,
    batch: 3,
    height: 9,
    width: 10,
    inputChannels: 16,
    outputChannels: 16,
    kernel: [3, 3],
    padding: [1, 1],
  },
] as const;

/**
 * Every way to reduce a variant's y once, by the smallest tile: those of a processor and those of a GPU; large tiles
 * take seconds to compile.
 */
function waysToReduce(shape: ConvolutionStatisticsProblem, traits: AdapterTraits): readonly KernelCall[] {
  const { calls } = convolutionStatistics;
  const fused = [traits, { ...traits, kind: 'gpu' } as const].flatMap((kind) =>
    calls(shape, kind).filter((call) => isFused(call) && /^winograd|^tiled 64x32/.test(call.variant)),
  );
  return [calls(shape, traits)[0], ...fused];
}

for (const type of ['f32', 'f16'] as const) {
  test(`statistics in ${type}: neither an outlier nor a mean far from zero costs a digit, however y is reduced`, async () => {
    const device = await testDevice();
    const isHalf = type === 'f16';
    if (!canStore({ type }, device.traits))
      return assert.equal(convolutionStatistics.calls({ ...shapes[0], type }, device.traits), []);
    for (const shape of shapes) {
      const {
        batch,
        height,
        width,
        inputChannels: channels,
        kernel: [side],
        epsilon,
      } = shape;
      const rows = batch * height * width;
      const uniform = uniformNumbers(7);
      // y = x, whose columns a sum about the first pixel gets wrong: an outlier there, a mean far from zero, an outlier
      // in each image.
      const column = (row: number, c: number): number => {
        if (c % 3 === 0) return row === 0 ? 1e4 : uniform();
        if (c % 3 === 1) return isHalf ? 1000 + Math.round(2 * uniform()) : 1e4 + 1e-2 * uniform();
        return row % (height * width) === 0 ? -1e3 : uniform();
      };
      const x = Float64Array.from({ length: rows * channels }, (_, i) =>
        Math.fround(column(Math.floor(i / channels), i % channels)),
      );
      const w = new Float64Array(side * side * channels * channels);
      for (let c = 0; c < channels; c++) w[Math.floor((side * side) / 2) * channels * channels + c * channels + c] = 1;
      for (const call of waysToReduce({ ...shape, type }, device.traits)) {
        const { y, ...actual } = await runKernel(device, call, { x, w });
        // Against the y that is stored, so that the error of the convolution is none of theirs; sums in registers are
        // not yet rounded to 16 bits.
        const value = Float64Array.from(y);
        const expected = expectedStatistics(
          { value, error: value.map((element) => (isHalf ? 2 ** -11 * Math.abs(element) : 0)) },
          { rows, channels, epsilon },
        );
        for (const [name, { value: statistic, error }] of Object.entries(expected))
          assertWithin(`${call.variant}, ${JSON.stringify(shape)}: ${name}`, actual[name], statistic, error);
      }
    }
  });
}

test('a NaN among the pixels makes the statistics of its channel NaN, and of no other, however y is reduced', async () => {
  const device = await testDevice();
  for (const shape of shapes) {
    const {
      batch,
      height,
      width,
      inputChannels: channels,
      kernel: [side],
    } = shape;
    const uniform = uniformNumbers(7);
    const x = Float64Array.from({ length: batch * height * width * channels }, uniform);
    const w = new Float64Array(side * side * channels * channels);
    for (let c = 0; c < channels; c++)
      w[Math.floor((side * side) / 2) * channels * channels + c * channels + c] = c === 3 ? 3e38 : 1;
    // 3e38 times 100 is infinite, in channel 3 alone.
    for (let i = 3; i < x.length; i += channels) x[i] = 100;
    for (const call of waysToReduce(shape, device.traits)) {
      const { inverseDeviation, variance } = await runKernel(device, call, { x, w });
      // Winograd's transforms mix what is infinite with what is not, so that its y is NaN.
      assert.equal(
        [2, 3, 4].map((channel) => Number.isNaN(inverseDeviation[channel]) && !Number.isFinite(variance[channel])),
        [false, true, false],
        call.variant,
      );
    }
  }
});

test('a mean 10,000 deviations from zero costs the variance no more than three digits', async () => {
  const device = await testDevice();
  const uniform = uniformNumbers(7);
  const x = Float64Array.from({ length: 429 * 8 }, (_, i) =>
    i % 8 === 0 ? 1 : Math.fround(0.1 * Math.sqrt(3) * uniform()),
  );
  // y = 1000 + one of the channels of x.
  const w = Float64Array.from({ length: 8 * 12 }, (_, i) =>
    i < 12 ? 1000 : Math.floor(i / 12) === 1 + ((i % 12) % 7) ? 1 : 0,
  );
  const { variance } = convolutionStatistics.reference(pointwise, { x, w });
  for (const call of convolutionStatistics.calls(pointwise, device.traits)) {
    const actual = await runKernel(device, call, { x, w });
    assertWithin(
      `${call.variant}: variance`,
      actual.variance,
      variance.value,
      variance.value.map((value) => 1e-3 * value),
    );
  }
});

test.run();
