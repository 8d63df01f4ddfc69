import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { callAgain, type Kernel, type KernelCall } from '../../kernels/kernel.ts';
import { runKernel } from '../../src/gpu/run-kernel.ts';
import { worstDeviation } from '../../src/tuning/comparison.ts';
import { expectedOf, sampleInputs } from '../../src/tuning/qualification.ts';
import { testDevice } from './device.ts';
import { uniformNumbers } from './uniform-numbers.ts';

export { uniformNumbers };

/** Registers a test for each ragged case of a kernel: every variant that the adapter offers against the reference. */
export function testKernel<Problem>(kernel: Kernel<Problem>): void {
  kernel.cases.forEach((problem, index) => {
    test(`${kernel.name}: case ${index} ${JSON.stringify(problem)}`, async () => {
      const device = await testDevice();
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
    });
  });
}

const bitsOf = (values: Float32Array | Uint32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);

/** Fails with the worst element if any value is further from its reference than its own bound. */
export function assertWithin(what: string, actual: ArrayLike<number>, value: ArrayLike<number>, error: ArrayLike<number>): void {
  assert.is(actual.length, value.length, `${what}: length`);
  const { element, ratio } = worstDeviation(actual, { value, error });
  if (ratio > 1) {
    assert.unreachable(`${what}[${element}] is ${actual[element]}, expected ${value[element]} within ${error[element]} (${ratio.toPrecision(3)} times the bound)`);
  }
}
