// Convolutions by matrix units where there are none: the units' library exchanged for its emulation, all else as it
// ships. On an adapter that has units, they also run natively, as variants like any
// other.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convolution } from '../../../kernels/convolution/forward.ts';
import {
  HALF,
  hasVectors,
  outputSize,
  type ConvolutionProblem,
  type ConvolutionShape,
} from '../../../kernels/convolution/problem.ts';
import { convolutionDataGradient } from '../../../kernels/convolution/data-gradient.ts';
import { convolutionWeightGradient } from '../../../kernels/convolution/weight-gradient.ts';
import type { Kernel, KernelCall } from '../../../kernels/kernel.ts';
import type { AdapterTraits, MatrixProduct } from '../../../kernels/contract/adapter-traits.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { tuningKey, type TuningProblem } from '../../../src/autodiff/variant-selector.ts';
import { sampleInputs } from '../../../src/tuning/qualification.ts';
import { Tuner } from '../../../src/tuning/tuner.ts';
import { testDevice } from '../../support/device.ts';
import { emulated, EMULATION, isByMatrixUnits, withMatrixUnits } from '../../support/emulated-matrix-units.ts';
import { assertWithin, uniformNumbers } from '../../support/kernel-test.ts';

const { traits, description } = await testDevice();
const isQuickToCompile = /swiftshader/i.test(description.device);
const FLOAT32: MatrixProduct = { component: 'f32', rows: 8, columns: 8, depth: 8 };
const SQUARE: MatrixProduct = { component: 'f16', rows: 16, columns: 16, depth: 16 };
const FLAT: MatrixProduct = { component: 'f16', rows: 8, columns: 16, depth: 16 };

/**
 * Four subgroups' work for a workgroup that has more of them than blocks, as many, or fewer: the adapter is said to
 * have this size.
 */
const wide = (product: MatrixProduct): AdapterTraits => withMatrixUnits(traits, [product], 32);
const exact = (product: MatrixProduct): AdapterTraits => withMatrixUnits(traits, [product], traits.subgroupSize);
const narrow = (product: MatrixProduct): AdapterTraits => withMatrixUnits(traits, [product], traits.subgroupSize / 2);

function callsOf<Problem>(kernel: Kernel<Problem>, problem: Problem, units: AdapterTraits, tile: string): KernelCall[] {
  return kernel
    .calls(problem, units)
    .filter(({ variant, dispatches }) => dispatches.some(isByMatrixUnits) && variant.includes(` ${tile}x`))
    .map((call) => emulated(call, traits));
}

async function check<Problem>(
  kernel: Kernel<Problem>,
  problem: Problem,
  calls: readonly KernelCall[],
  seed = 1,
): Promise<void> {
  assert.ok(calls.length > 0, 'no variant by matrix units');
  const inputs = sampleInputs(kernel, problem, calls[0], uniformNumbers(seed));
  const expected = kernel.reference(problem, inputs);
  for (const call of calls) {
    const actual = await runKernel(await testDevice(), call, inputs);
    for (const [name, { value, error }] of Object.entries(expected))
      assertWithin(`${call.variant}: ${name}`, actual[name], value, error);
  }
}

/** Units of float32 take float32 alone. */
const isSingle = ({ type }: ConvolutionShape): boolean => type === undefined;
const isHalf = ({ type }: ConvolutionShape): boolean => type === 'f16';

for (const kernel of [convolution, convolutionDataGradient] as readonly Kernel<ConvolutionProblem>[]) {
  test(`${kernel.name}: the smallest tile reproduces the reference on every case of the kernel`, async () => {
    const cases = kernel.cases.filter((shape) => isSingle(shape) && hasVectors(shape));
    assert.ok(cases.length >= 7);
    for (const [index, problem] of cases.entries())
      await check(kernel, problem, callsOf(kernel, problem, wide(FLOAT32), '32x32'), index);
  });
}

/** Whose patches are a matrix of whole vectors: a number of pixels that is a multiple of four. */
const hasPatches = (shape: ConvolutionShape): boolean =>
  (shape.batch * outputSize(shape)[0] * outputSize(shape)[1]) % 4 === 0;

test('convolution_weight_gradient: the smallest tile reproduces the reference on every case that has an im2col form', async () => {
  const kernel = convolutionWeightGradient;
  const cases = kernel.cases.filter((shape) => isSingle(shape) && hasPatches(shape));
  const calls = cases.map((problem) => callsOf(kernel, problem, wide(FLOAT32), '32x32'));
  assert.ok(
    calls.flat().some(({ variant }) => variant.startsWith('im2col matrix 8x8x8 32x32x16, split-K 2')),
    'no case is split',
  );
  for (const [index, problem] of cases.entries()) await check(kernel, problem, calls[index], index);
  for (const problem of kernel.cases.filter((shape) => !cases.includes(shape)))
    assert.equal(callsOf(kernel, problem, wide(FLOAT32), '32x32'), []);
});

// Ragged in every direction: 135 pixels or 40 a phase, 68 and 36 channels, runs of 108 and 204 or 136 and 68 numbers.
const RAGGED = {
  batch: 1,
  height: 17,
  width: 15,
  inputChannels: 36,
  outputChannels: 68,
  kernel: [3, 3],
  stride: [2, 2],
  padding: [1, 1],
} as const;
/** The same with 288 pixels by split-K 2, and 324 rows. */
const RAGGED_PATCHES = { ...RAGGED, batch: 4 } as const;

// lavapipe would compile each for a minute: their blocks are 16 to 32 fragments, all of them written out.
if (isQuickToCompile) {
  test('so do all other tiles', async () => {
    for (const tile of ['64x64', '128x64', '128x128']) {
      await check(convolution, RAGGED, callsOf(convolution, RAGGED, exact(FLOAT32), tile));
      await check(convolutionDataGradient, RAGGED, callsOf(convolutionDataGradient, RAGGED, exact(FLOAT32), tile));
      await check(
        convolutionWeightGradient,
        RAGGED_PATCHES,
        callsOf(convolutionWeightGradient, RAGGED_PATCHES, exact(FLOAT32), tile),
      );
    }
  });
}

test('SwiftShader is quick to compile: all tiles did run there', () => {
  assert.is(isQuickToCompile, traits.f16 !== true, 'lavapipe, which is slow, has 16-bit floats; SwiftShader has none');
});

test('fewer subgroups than blocks take several passes', async () => {
  const problem: ConvolutionProblem = { ...RAGGED, inputChannels: 20, epilogue: { residual: true, relu: true } };
  const calls = callsOf(convolution, problem, narrow(FLOAT32), '32x32');
  assert.is(calls[0].dispatches[0].constants?.INVOCATIONS, 2 * traits.subgroupSize);
  await check(convolution, problem, calls);
});

if (traits.f16 === true) {
  test('numbers of 16 bits, square and flat units', async () => {
    const [, strided, , , inPartials] = convolution.cases.filter(isHalf);
    await check(convolution, strided, callsOf(convolution, strided, wide(SQUARE), '32x32'));
    await check(convolution, inPartials, callsOf(convolution, inPartials, wide(FLAT), '32x32'));
  });

  test('a weight gradient of 16-bit factors is float32, whole and by split-K, by square and flat units', async () => {
    const kernel = convolutionWeightGradient;
    const cases = kernel.cases.filter((shape) => isHalf(shape) && hasPatches(shape));
    for (const unit of [SQUARE, FLAT]) {
      const offered = cases.map((shape) => ({ shape, calls: callsOf(kernel, shape, wide(unit), '32x32') }));
      for (const isSplit of [true, false]) {
        const { shape, calls } = offered.find((each) => each.calls[0].variant.includes('split-K') === isSplit) ?? {
          shape: cases[0],
          calls: [],
        };
        await check(kernel, shape, calls);
      }
    }
  });
}

// lavapipe has matrix units since some Mesa after 25.0, for numbers of 16 bits; scripts/on-newer-lavapipe.sh runs this
// suite there.
if (traits.matrixUnits !== undefined) {
  test('the units of this adapter compute a data gradient of 16-bit numbers, by every tile', async () => {
    const problem = { ...RAGGED, ...HALF };
    const calls = convolutionDataGradient
      .calls(problem, traits)
      .filter(({ dispatches }) => isByMatrixUnits(dispatches[0]));
    assert.ok(calls.length >= 3);
    await check(convolutionDataGradient, problem, calls);
  });
}

test('a unit that computes something else is dropped, and the next variant taken: no program sees its numbers', async () => {
  const problem: ConvolutionProblem = { ...RAGGED, batch: 2 };
  // Its sums start over with each product.
  const forgetful = {
    name: 'forgetful unit',
    source: EMULATION.source.replace('var result = sum;', 'var result: Sum;'),
  };
  assert.is.not(forgetful.source, EMULATION.source);
  const kernel = (library: typeof forgetful): Kernel<ConvolutionProblem> => ({
    ...convolution,
    cases: [RAGGED],
    calls: (shape, own) => {
      const byUnits = convolution
        .calls(shape, wide(FLOAT32))
        .filter(({ variant }) => variant.startsWith('matrix 8x8x8 32x32'));
      return [...byUnits.map((call) => emulated(call, traits, library)), ...convolution.calls(shape, own)];
    },
  });
  const answer = async (
    library: typeof forgetful,
  ): Promise<{ readonly variant: string | undefined; readonly notes: readonly string[] }> => {
    const notes: string[] = [];
    const question: TuningProblem = {
      kernel: kernel(library),
      problem,
      calls: kernel(library).calls(problem, traits),
      uses: 1,
    };
    const choices = await new Tuner(await testDevice(), { tables: [], onNote: (note) => notes.push(note) }).select([
      question,
    ]);
    return { variant: choices.get(tuningKey(question)), notes };
  };
  const wrong = await answer(forgetful);
  assert.not.match(wrong.variant ?? 'matrix', /^matrix/);
  assert.match(wrong.notes[0], /convolution, matrix 8x8x8 .*: dropped, for y\[\d+\] is .*, expected /);
  assert.match((await answer(EMULATION)).variant ?? '', /^matrix/, 'a right one is taken');
});

test.run();
