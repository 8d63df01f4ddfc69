// The convolution's tiles, tested against their references outside the cases that kernels declare.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { canStore } from '../../kernels/contract/storage-type.ts';
import type { ConvolutionProblem } from '../../kernels/convolution/problem.ts';
import type { Kernel, KernelCall } from '../../kernels/kernel.ts';
import { runKernel } from '../../src/gpu/run-kernel.ts';
import { sampleInputs } from '../../src/tuning/qualification.ts';
import { testDevice } from './device.ts';
import { assertWithin, uniformNumbers } from './kernel-test.ts';

export const SHAPE = {
  batch: 1,
  height: 9,
  width: 15,
  inputChannels: 36,
  outputChannels: 68,
  kernel: [3, 3],
  stride: [2, 2],
  padding: [1, 1],
} as const;
/** One whose steps are whole. */
export const WHOLE: ConvolutionProblem = {
  batch: 1,
  height: 13,
  width: 15,
  inputChannels: 48,
  outputChannels: 140,
  kernel: [1, 1],
  stride: [1, 1],
  padding: [0, 0],
};

/** Runs calls of a kernel, each of which must give its reference. */
export async function checkCalls<Problem>(
  kernel: Kernel<Problem>,
  problem: Problem,
  calls: readonly KernelCall[],
): Promise<void> {
  const device = await testDevice();
  const inputs = sampleInputs(kernel, problem, calls[0], uniformNumbers(1));
  const expected = kernel.reference(problem, inputs);
  for (const call of calls) {
    const actual = await runKernel(device, call, inputs);
    for (const [name, { value, error }] of Object.entries(expected))
      assertWithin(`${call.variant}: ${name}`, actual[name], value, error);
  }
}

/** Tests what processors are not offered: the large tiles, in each of the ways in which steps end or do not. */
export function testUnrolled(
  cases: readonly (readonly [Kernel<never>, ConvolutionProblem & { readonly epsilon?: number }])[],
): void {
  for (const [kernel, problem] of cases) {
    test(`unrolled, as a GPU gets them, the tiles of ${kernel.name} calculate the same: ${JSON.stringify(problem)}`, async () => {
      const { traits } = await testDevice();
      const calls = kernel
        .calls(problem as never, { ...traits, kind: 'gpu' })
        .filter(({ variant }) => variant.startsWith('tiled 128x'));
      if (canStore(problem, traits))
        assert.ok(calls.length >= 2 && calls.some(({ variant }) => variant.includes('128x128x16 by 16x8')));
      assert.ok(calls.every(({ dispatches }) => dispatches[0].constants?.UNROLLED === true));
      if (calls.length > 0) await checkCalls(kernel as Kernel<unknown>, problem, calls);
    });
  }
}
