// Every rung of every ladder against the float64 reference of its kernel, on the kernel's own ragged cases.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import convolution from '../../bench/ladder/convolution.ts';
import weightGradient from '../../bench/ladder/convolution_weight_gradient.ts';
import type { ConvolutionProblem } from '../../kernels/convolution.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { testDevice } from '../support/device.ts';
import { testKernel } from '../support/kernel-test.ts';

/** The earlier versions alone, which know no epilogue; those that ship have tests of their own. */
function rungsOf<Problem extends ConvolutionProblem>(kernel: Kernel<Problem>): Kernel<Problem> {
  return {
    ...kernel,
    calls: (problem, traits) => kernel.calls(problem, traits).filter(({ variant }) => !variant.startsWith('shipped')),
    cases: kernel.cases.filter(({ epilogue }) => epilogue === undefined),
  };
}

testKernel(rungsOf(convolution.kernel));
testKernel(rungsOf(weightGradient.kernel));

test('a ladder begins with the naive version and ends with what a program runs', async () => {
  const { traits } = await testDevice();
  const problem = { batch: 1, height: 8, width: 8, inputChannels: 4, outputChannels: 8, kernel: [3, 3], stride: [1, 1], padding: [1, 1] } as const;
  const variants = convolution.kernel.calls(problem, traits).map(({ variant }) => variant);
  assert.equal(variants.slice(0, 3), ['1 naive', '2 vectors of outputs', '3 workgroup tile']);
  assert.match(variants[variants.length - 1], /^shipped: /);
  assert.is(new Set(variants).size, variants.length);
});

test.run();
