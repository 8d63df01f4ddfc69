import type { AnyKernel } from '../../kernels/kernel.ts';
import type { Device } from '../../src/gpu/device.ts';
import { runKernel } from '../../src/gpu/run-kernel.ts';
import { ALL_KERNELS } from '../../kernels/index.ts';
import { expectedOf, sampleInputs } from '../../src/tuning/qualification.ts';
import { uniformNumbers } from './uniform-numbers.ts';

/** Cases of a kernel that are run: its first ones, which are its smallest. */
const CASES = 3;

/** What a variant computed of a case of its kernel, and how far float32 may be from the truth. */
export interface KernelOutput {
  readonly kernel: string;
  /** Kernel, case, variant and output. */
  readonly name: string;
  readonly values: Float32Array | Uint32Array;
  readonly error: Float64Array;
}

/** Every variant that a device offers of every kernel, on the same inputs wherever this runs. */
export async function* kernelOutputs(device: Device): AsyncGenerator<KernelOutput, void, undefined> {
  for (const kernel of ALL_KERNELS as readonly AnyKernel[]) {
    for (const [index, problem] of kernel.cases.slice(0, CASES).entries()) {
      const calls = kernel.calls(problem as never, device.traits);
      if (calls.length === 0) continue;
      const inputs = sampleInputs(kernel, problem as never, calls[0], uniformNumbers(index));
      const expected = kernel.reference(problem as never, inputs);
      for (const call of calls) {
        const outputs = await runKernel(device, call, inputs);
        for (const [name, { error }] of Object.entries(expectedOf(call, inputs, expected))) {
          yield {
            kernel: kernel.name,
            name: `${kernel.name}, case ${index}, ${call.variant}: ${name}`,
            values: outputs[name],
            error,
          };
        }
      }
    }
  }
}
