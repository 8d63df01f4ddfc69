import * as assert from 'uvu/assert';
import { type AnyKernel, callAgain, type KernelCall } from '../../kernels/kernel.ts';
import type { Device } from '../../src/gpu/device.ts';
import { runKernel } from '../../src/gpu/run-kernel.ts';
import { worstDeviation } from '../../src/tuning/comparison.ts';
import { expectedOf, sampleInputs } from '../../src/tuning/qualification.ts';
import { uniformNumbers } from './uniform-numbers.ts';

/**
 * Runs every variant that a device offers of one of a kernel's cases. @returns the variants @throws where one is off
 * its reference
 */
export async function checkKernelCase(device: Device, kernel: AnyKernel, index: number): Promise<readonly string[]> {
  const problem = kernel.cases[index] as never;
  const calls = kernel.calls(problem, device.traits);
  assert.ok(calls.length > 0, 'the kernel offers no variant');
  const inputs = sampleInputs(kernel, problem, calls[0], uniformNumbers(index));
  const expected = kernel.reference(problem, inputs);
  for (const call of calls) {
    const actual = await runKernel(device, call, inputs);
    for (const [name, { value, error }] of Object.entries(expectedOf(call, inputs, expected))) {
      assertWithin(`${call.variant}: ${name}`, actual[name], value, error);
    }
    for (const output of Object.keys(call.again ?? {})) {
      const again = callAgain(call, output) as KernelCall;
      const results = await runKernel(device, again, { ...inputs, ...actual });
      assert.equal(bitsOf(results[output]), bitsOf(actual[output]), `${again.variant}: other bits than the first time`);
    }
  }
  return calls.map(({ variant }) => variant);
}

const bitsOf = (values: Float32Array | Uint32Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length);

/** Fails with the worst element if any value is further from its reference than its own bound. */
export function assertWithin(
  what: string,
  actual: ArrayLike<number>,
  value: ArrayLike<number>,
  error: ArrayLike<number>,
): void {
  assert.is(actual.length, value.length, `${what}: length`);
  const { element, ratio } = worstDeviation(actual, { value, error });
  if (ratio > 1) {
    assert.unreachable(
      `${what}[${element}] is ${actual[element]}, expected ${value[element]} within ${error[element]} (${ratio.toPrecision(3)} times the bound)`,
    );
  }
}
