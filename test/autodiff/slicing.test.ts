import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { adam } from '../../kernels/optimizer/adam.ts';
import { add, maximum, multiply, relu, scale } from '../../kernels/elementwise/functions.ts';
import { pointwiseKernel } from '../../kernels/elementwise/pointwise.ts';
import { affine } from '../../kernels/elementwise/affine.ts';
import { affineGradient } from '../../kernels/elementwise/affine-gradient.ts';
import { batchNorm } from '../../kernels/normalization/batch-norm.ts';
import { batchNormGradient } from '../../kernels/normalization/batch-norm-gradient.ts';
import { bias } from '../../kernels/elementwise/bias.ts';
import { cast } from '../../kernels/elementwise/cast.ts';
import { axisSum } from '../../kernels/reduction/axis-sum.ts';
import { columnSum } from '../../kernels/reduction/column-sum.ts';
import { convolution } from '../../kernels/convolution/forward.ts';
import type { ConvolutionShape } from '../../kernels/convolution/problem.ts';
import { convolutionDataGradient } from '../../kernels/convolution/data-gradient.ts';
import { convolutionWeightGradient } from '../../kernels/convolution/weight-gradient.ts';
import { contrastiveTargets } from '../../kernels/loss/contrastive-targets.ts';
import { concatenate, copy } from '../../kernels/layout/copy.ts';
import { dot } from '../../kernels/reduction/dot.ts';
import { fill } from '../../kernels/elementwise/fill.ts';
import { globalAveragePool } from '../../kernels/pooling/global-average-pool.ts';
import { globalAveragePoolGradient } from '../../kernels/pooling/global-average-pool-gradient.ts';
import { initialize } from '../../kernels/random/initialize.ts';
import { interpolate } from '../../kernels/elementwise/interpolate.ts';
import type { Kernel, KernelCall, Values } from '../../kernels/kernel.ts';
import { l2Normalize } from '../../kernels/normalization/l2-normalize.ts';
import { l2NormalizeGradient } from '../../kernels/normalization/l2-normalize-gradient.ts';
import { maxPool } from '../../kernels/pooling/max-pool.ts';
import { maxPoolGradient } from '../../kernels/pooling/max-pool-gradient.ts';
import { momentumSgd } from '../../kernels/optimizer/momentum-sgd.ts';
import { movingAverage } from '../../kernels/normalization/moving-average.ts';
import { nonFinite } from '../../kernels/reduction/non-finite.ts';
import { prepareImages } from '../../kernels/image/prepare-images.ts';
import { oneHot } from '../../kernels/layout/one-hot.ts';
import { topK } from '../../kernels/retrieval/top-k.ts';
import { quadrupletLoss } from '../../kernels/loss/quadruplet-loss.ts';
import { reduceSum } from '../../kernels/reduction/reduce-sum.ts';
import { selectRows } from '../../kernels/layout/select-rows.ts';
import { selectRowsGradient } from '../../kernels/layout/select-rows-gradient.ts';
import { softmaxCrossEntropy } from '../../kernels/loss/softmax-cross-entropy.ts';
import { withinLimits, type DispatchLimits } from '../../src/autodiff/slicing.ts';
import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import { BINDING_ALIGNMENT, sliceable } from '../../kernels/contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { LimitError } from '../../src/gpu/errors.ts';
import { runKernel } from '../../src/gpu/run-kernel.ts';
import { sampleInputs } from '../../src/tuning/qualification.ts';
import { testDevice } from '../support/device.ts';
import { uniformNumbers } from '../support/kernel-test.ts';

const NO_LIMITS: DispatchLimits = { maxBindingBytes: Infinity, maxWorkgroupsPerDimension: Infinity };

/** The strictest limit, a power of two from `from` on, under which a call can run at all. */
function strictest(call: KernelCall, from: number, limitsOf: (limit: number) => DispatchLimits): DispatchLimits {
  for (let limit = from; ; limit *= 2) {
    try {
      withinLimits([call], limitsOf(limit));
      return limitsOf(limit);
    } catch (error) {
      if (!(error instanceof LimitError) || limit > 2 ** 40) throw error;
    }
  }
}

/** Runs a call whole and cut, and compares all that they give by its bits. */
async function assertSameBits(call: KernelCall, inputs: Values, limits: DispatchLimits): Promise<void> {
  const cut = withinLimits([call], limits) as KernelCall;
  assert.ok(cut.dispatches.length > call.dispatches.length, `${call.variant}: nothing was cut`);
  const device = await testDevice();
  const [expected, actual] = [await runKernel(device, call, inputs), await runKernel(device, cut, inputs)];
  for (const [name, { role }] of Object.entries(call.operands)) {
    if (role === 'input') continue;
    const [a, b] = [expected, actual].map((results) => new Uint32Array(results[name].buffer));
    const different = a.findIndex((word, index) => word !== b[index]);
    if (different >= 0)
      assert.unreachable(
        `${call.variant}, cut for ${JSON.stringify(limits)}: ${name}[${different}] is ${actual[name][different]}, ${expected[name][different]} when whole`,
      );
  }
}

/** Each variant under the smallest bindings and the smallest grids that it can do with. */
function testSlicing<Problem>(kernel: Kernel<Problem>, problem: Problem): void {
  test(`${kernel.name}: slices give the bits of the whole, ${JSON.stringify(problem)}`, async () => {
    const { traits } = await testDevice();
    // Winograd's scratch and split tiles are not contiguous along the batch: such variants give way to the next.
    const calls = kernel.calls(problem, traits).filter(({ dispatches }) => dispatches[0].slices !== undefined);
    assert.ok(calls.length > 0, 'no variant can be cut');
    for (const call of calls) {
      const inputs = sampleInputs(kernel, problem, call, uniformNumbers(7));
      await assertSameBits(
        call,
        inputs,
        strictest(call, 256, (maxBindingBytes) => ({ ...NO_LIMITS, maxBindingBytes })),
      );
      const grid = strictest(call, 1, (maxWorkgroupsPerDimension) => ({ ...NO_LIMITS, maxWorkgroupsPerDimension }));
      // The grid of few pixels may be longer in channels, which are not cut.
      if (withinLimits([call], grid) !== call) await assertSameBits(call, inputs, grid);
    }
  });
}

const pooling = { window: 3, stride: 2, padding: 1 } as const;
const imageShape = { batch: 5, height: 9, width: 8, channels: 16 } as const;
const square = { kernel: [3, 3], stride: [1, 1], padding: [1, 1] } as const;
const strided = { kernel: [3, 3], stride: [2, 2], padding: [1, 1] } as const;

for (const count of [4099, 20480]) {
  for (const one of [add, relu]) testSlicing(pointwiseKernel(one), { count });
  testSlicing(pointwiseKernel(scale), { count, parameters: { factor: 0.3 } });
  testSlicing(fill, { count, value: 0.1 });
  testSlicing(interpolate, { count, momentum: 0.1 });
  testSlicing(movingAverage, { count });
  testSlicing(cast, { count, to: 'f16' });
  testSlicing(cast, { count, to: 'f32' });
  testSlicing(initialize, { count, distribution: { kind: 'normal', deviation: 2 }, key: [1, 2], address: [3, 4] });
}
// What is broadcast is bound whole, and found from where the slice begins.
testSlicing(pointwiseKernel(multiply), { count: 20480, axes: [[20480, 1, 0]] });
testSlicing(pointwiseKernel(add), { count: 7 * 13 * 5 * 9, axes: [[7, 0, 1], [13, 1, 1], [5, 0, 1], [9, 1, 1]] }); // prettier-ignore
testSlicing(pointwiseKernel(maximum), { count: 60 * 9 * 12, axes: [[60, 1, 1], [9, 0, 1], [12, 1, 1]] }); // prettier-ignore
testSlicing(axisSum, { outer: 128, rows: 131, inner: 3 });
testSlicing(reduceSum, { count: 300001, factor: 0.5 });
testSlicing(reduceSum, { count: 300000, factor: 0.5 });
testSlicing(dot, { count: 300000 });
testSlicing(nonFinite, { count: 300000 });
testSlicing(nonFinite, { count: 300001 });
testSlicing(momentumSgd, { count: 64 * 1021, groups: 3, nesterov: true });
testSlicing(adam, { count: 64 * 1021, groups: 3, decoupled: true });
testSlicing(copy, {
  count: 9001,
  sourceLength: 9100,
  sourceOffset: 33,
  destinationLength: 9200,
  destinationOffset: 130,
});
testSlicing(copy, { count: 9000, sourceLength: 9000, sourceOffset: 0, destinationLength: 9000, destinationOffset: 0 });
testSlicing(concatenate, { lengths: [3001, 8, 5000] });
for (const [rows, channels] of [
  [20011, 7],
  [3001, 12],
]) {
  testSlicing(bias, { rows, channels });
  testSlicing(columnSum, { rows, channels });
  testSlicing(affine, { rows, channels, residual: true, relu: true });
  testSlicing(affineGradient, { rows, channels, relu: true, residual: true, parameterGradients: true });
  testSlicing(affineGradient, { rows, channels, relu: true, residual: false, parameterGradients: true });
  testSlicing(batchNorm, { rows, channels, epsilon: 1e-5, residual: true, relu: true });
  testSlicing(batchNormGradient, { rows, channels, relu: true, residual: true });
  testSlicing(batchNormGradient, { rows, channels, relu: true, residual: false });
  testSlicing(batchNormGradient, { rows, channels, relu: false, residual: false });
}
testSlicing(maxPool, { ...imageShape, ...pooling });
testSlicing(maxPoolGradient, { ...imageShape, ...pooling });
testSlicing(maxPool, { batch: 130, height: 5, width: 3, channels: 3, ...pooling });
testSlicing(globalAveragePool, { batch: 67, pixels: 49, channels: 20 });
testSlicing(globalAveragePoolGradient, { batch: 67, pixels: 49, channels: 20 });
testSlicing(prepareImages, { count: 40, source: 32, size: 17, mean: [0.4, 0.5, 0.6], deviation: [0.2, 0.3, 0.4] });
testSlicing(prepareImages, { count: 600, source: 5, size: 3, mean: [0.4, 0.5, 0.6], deviation: [0.2, 0.3, 0.4] });
testSlicing(l2Normalize, { rows: 700, width: 13 });
testSlicing(l2NormalizeGradient, { rows: 700, width: 13 });
testSlicing(selectRows, { tableRows: 9, count: 700, width: 20 });
testSlicing(selectRowsGradient, { tableRows: 700, count: 9, width: 20 });
testSlicing(selectRowsGradient, { tableRows: 700, count: 9, width: 13 });
testSlicing(quadrupletLoss, { count: 203, width: 12 });
testSlicing(quadrupletLoss, { count: 203, width: 12, form: 'one-hinge' });
testSlicing(quadrupletLoss, { count: 256, width: 7, mining: 'semi-hard' });
testSlicing(quadrupletLoss, { count: 203, width: 8, mining: 'random' });
testSlicing(softmaxCrossEntropy, { rows: 300, classes: 70, targets: 'soft', temperature: 0.1 });
testSlicing(softmaxCrossEntropy, { rows: 300, classes: 70, targets: 'hard' });
testSlicing(contrastiveTargets, { count: 203, positives: 'other-domain' });
testSlicing(oneHot, { rows: 300, classes: 70, on: 0.9, off: 0.1 });
testSlicing(topK, { queries: 3, items: 2000, dimension: 20, k: 10 });
for (const shape of [
  { ...strided, batch: 14, height: 9, width: 8, inputChannels: 20, outputChannels: 40 },
  {
    batch: 9,
    height: 16,
    width: 16,
    inputChannels: 4,
    outputChannels: 16,
    kernel: [7, 7],
    stride: [2, 2],
    padding: [3, 3],
  },
  {
    batch: 130,
    height: 3,
    width: 5,
    inputChannels: 7,
    outputChannels: 5,
    kernel: [1, 1],
    stride: [1, 1],
    padding: [0, 0],
  },
] as const satisfies readonly ConvolutionShape[]) {
  testSlicing(convolution, shape);
  testSlicing(convolutionDataGradient, shape);
}
testSlicing(convolution, {
  ...square,
  batch: 130,
  height: 3,
  width: 5,
  inputChannels: 7,
  outputChannels: 5,
  epilogue: { residual: true, relu: true },
});

test('convolution_weight_gradient: splits of whole images are cut between splits, with the bits of the whole', async () => {
  const { traits } = await testDevice();
  // Images of 8 x 8 pixels, each a part where parts may be small; and of 32 x 32, four of which are the 4096 that a
  // processor wants.
  const shapes = [8, 32].map((size) => ({
    ...square,
    batch: 16,
    height: size,
    width: size,
    inputChannels: 4,
    outputChannels: 8,
  }));
  const calls = shapes
    .flatMap((shape) => convolutionWeightGradient.calls(shape, traits))
    .filter(({ dispatches, operands }) => dispatches[0].slices !== undefined && 'partialSums' in operands);
  assert.ok(calls.length > 0, 'no variant has splits of whole images');
  for (const call of calls) {
    const inputs = sampleInputs({}, null, call, uniformNumbers(3));
    await assertSameBits(
      call,
      inputs,
      strictest({ ...call, dispatches: call.dispatches.slice(0, 1) }, 256, (maxBindingBytes) => ({
        ...NO_LIMITS,
        maxBindingBytes: Math.max(maxBindingBytes, partialSumsBytes(call)),
      })),
    );
  }
});

/** The second pass adds all partial sums at once. */
const partialSumsBytes = ({ operands }: KernelCall): number => 4 * operands.partialSums.length;

test('convolution_weight_gradient: what no adapter need bind at once is split between images, whatever its limits', async () => {
  const { traits } = await testDevice();
  const stem = {
    batch: 128,
    height: 224,
    width: 224,
    inputChannels: 4,
    outputChannels: 64,
    kernel: [7, 7],
    stride: [2, 2],
    padding: [3, 3],
  } as const;
  const shapes: readonly ConvolutionShape[] = [
    stem,
    { ...stem, batch: 1000, outputChannels: 5 },
    { ...square, batch: 256, height: 56, width: 56, inputChannels: 64, outputChannels: 64 },
  ];
  for (const shape of shapes) {
    for (const call of convolutionWeightGradient.calls(shape, traits)) {
      const { dispatches } = withinLimits([call], {
        maxBindingBytes: 128 * 2 ** 20,
        maxWorkgroupsPerDimension: 65535,
      }) as KernelCall;
      assert.ok(dispatches.length > 2, call.variant);
    }
  }
});

test('random convolutions in random slices have the bits of the whole', async () => {
  const { traits } = await testDevice();
  const size = fc.integer({ min: 3, max: 9 });
  const shapes = fc.record({
    batch: fc.integer({ min: 2, max: 70 }),
    height: size,
    width: size,
    inputChannels: size,
    outputChannels: size,
    strided: fc.boolean(),
    slack: fc.double({ min: 1, max: 3, noNaN: true }),
  });
  await fc.assert(
    fc.asyncProperty(shapes, async ({ strided: withStride, slack, ...sizes }) => {
      const shape = { ...sizes, ...(withStride ? strided : square) };
      for (const kernel of [convolution, convolutionDataGradient] as readonly Kernel<ConvolutionShape>[]) {
        const [call] = kernel.calls(shape, traits);
        const { maxBindingBytes } = strictest(call, 256, (limit) => ({ ...NO_LIMITS, maxBindingBytes: limit }));
        const limits = { ...NO_LIMITS, maxBindingBytes: Math.floor(slack * maxBindingBytes) };
        // Winograd, which cannot be cut, is several dispatches to begin with.
        if ((withinLimits([call], limits) as KernelCall).dispatches.length > call.dispatches.length)
          await assertSameBits(call, sampleInputs({}, null, call, uniformNumbers(1)), limits);
      }
    }),
    { numRuns: 15, seed: 20261125 },
  );
});

/** A call of one dispatch that reads `each` elements of a and writes one of b a unit. */
function callOf(units: number, each: number): KernelCall {
  const launch = (count: number, first: number): Dispatch => ({
    shader: shaders.fill,
    parameters: [first, count],
    operands: ['a', 'b', 'factor'],
    workgroups: [Math.ceil(count / 4), 1, 1],
  });
  return {
    variant: 'made up',
    operands: {
      a: { role: 'input', type: 'f32', length: units * each - 1 },
      b: { role: 'output', type: 'f32', length: units },
      factor: { role: 'input', type: 'f32', length: 1 },
    },
    dispatches: [sliceable(units, { a: each, b: 1 }, launch)],
  };
}

test('slices are all units once and in order, begin where bindings may, and keep to the limits', () => {
  const cases = fc.record({
    units: fc.integer({ min: 1, max: 5000 }),
    each: fc.integer({ min: 2, max: 200 }),
    limit: fc.integer({ min: 256, max: 10 ** 6 }),
    grid: fc.integer({ min: 1, max: 300 }),
  });
  fc.assert(
    fc.property(cases, ({ units, each, limit, grid }) => {
      const call = callOf(units, each);
      // 64 units begin at aligned places of b.
      const possible = limit >= 4 * 64 * each && grid >= 16;
      fc.pre(possible);
      const { dispatches } = withinLimits([call], {
        maxBindingBytes: limit,
        maxWorkgroupsPerDimension: grid,
      }) as KernelCall;
      let end = 0;
      for (const { parameters, windows, workgroups } of dispatches) {
        const [first, count] = (parameters ?? []) as readonly number[];
        assert.is(first, end);
        end += count;
        assert.ok(workgroups[0] <= grid);
        if (dispatches.length === 1) continue;
        assert.equal(windows, {
          a: { offset: 4 * first * each, size: 4 * Math.min(count * each, units * each - 1 - first * each) },
          b: { offset: 4 * first, size: 4 * count },
        });
        for (const { offset, size } of Object.values(windows ?? {})) {
          assert.is(offset % BINDING_ALIGNMENT, 0);
          assert.ok(size <= limit);
        }
      }
      assert.is(end, units);
    }),
  );
});

test('a call within the limits stays as it is', () => {
  const call = callOf(100, 3);
  assert.is(withinLimits([call], NO_LIMITS), call);
  assert.is(withinLimits([], NO_LIMITS), undefined);
});

test('what every slice reads whole cannot be helped by cutting: the error says so', () => {
  const message = (kernel: () => readonly KernelCall[], maxBindingBytes: number): string => {
    try {
      withinLimits(kernel(), { ...NO_LIMITS, maxBindingBytes });
    } catch (error) {
      if (error instanceof LimitError) return error.message;
      throw error;
    }
    return 'no error';
  };
  const traits = {
    kind: 'gpu',
    subgroupSize: 0,
    maxWorkgroupInvocations: 256,
    maxWorkgroupStorageBytes: 16384,
    maxWorkgroupsPerDimension: 65535,
  } as const;
  assert.match(
    message(() => quadrupletLoss.calls({ count: 64, width: 512 }, traits), 100_000),
    /operand embeddings has 131072 bytes and every slice needs all of it; .* Use a smaller batch/,
  );
  assert.match(
    message(() => selectRowsGradient.calls({ tableRows: 4, count: 64, width: 512 }, traits), 100_000),
    /operand drows has 131072 bytes and every slice needs all of it/,
  );
});

test('a variant that cannot be cut makes room for the next; an error names the operand, its bytes and the limit', () => {
  const whole = callOf(1000, 64);
  const rigid: KernelCall = { ...whole, variant: 'rigid', dispatches: [{ ...whole.dispatches[0], slices: undefined }] };
  const limits = { ...NO_LIMITS, maxBindingBytes: 100_000 };
  assert.is(withinLimits([rigid, whole], limits)?.variant, 'made up');
  const fails = (call: KernelCall, these: DispatchLimits, message: RegExp): void =>
    assert.throws(
      () => withinLimits([call], these, (name) => `${name} of x [9]`),
      (error: Error) => error instanceof LimitError && message.test(error.message),
    );
  fails(rigid, limits, /operand a of x \[9\] has 255996 bytes and cannot be cut; this adapter binds at most 100000/);
  fails(
    whole,
    { ...limits, maxBindingBytes: 5000 },
    /operand a of x \[9\] has 16384 bytes in the smallest slice; this adapter binds at most 5000 \(maxStorageBufferBindingSize\)/,
  );
  fails(
    rigid,
    { ...NO_LIMITS, maxWorkgroupsPerDimension: 7 },
    /a grid of 250 x 1 x 1 workgroups and cannot be cut; this adapter allows 7 a dimension/,
  );
});

test.run();
