import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KERNEL_MODULES } from '../../../kernels/index.ts';
import type { Kernel, Values } from '../../../kernels/kernel.ts';
import type { ArenaProblem } from '../../../kernels/optimizer/arena.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';
import { uniformNumbers } from '../../support/kernel-test.ts';

for (const { module, kernels } of KERNEL_MODULES.filter(
  ({ family, module }) => family === 'optimizer' && module !== 'loss-scale',
))
  test(`${module}: a gate that counts non-finite gradients leaves every bit as it was`, async () => {
    const device = await testDevice();
    for (const kernel of kernels as unknown as readonly Kernel<ArenaProblem>[]) {
      const problem = kernel.cases[1];
      const inputs: Values = { ...kernel.sampleInputs?.(problem, uniformNumbers(5)), gate: Float64Array.of(1, 17) };
      for (const call of kernel.calls(problem, device.traits)) {
        const actual = await runKernel(device, call, inputs);
        for (const [name, { role }] of Object.entries(call.operands))
          if (role === 'inout')
            assert.equal(Array.from(actual[name]), Array.from(inputs[name]), `${call.variant}: ${name}`);
      }
    }
  });

test.run();
