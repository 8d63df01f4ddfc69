import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convolution } from '../../../kernels/convolution/forward.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { sampleInputs } from '../../../src/tuning/qualification.ts';
import { testDevice } from '../../support/device.ts';
import { testModule, uniformNumbers } from '../../support/kernel-test.ts';

testModule('convolution', 'forward');

test('a ReLU behind a convolution lets NaN through, in every variant and either width', async () => {
  const device = await testDevice();
  const met = new Set<string>();
  for (const [index, problem] of convolution.cases.entries()) {
    const calls = problem.epilogue?.relu === true ? convolution.calls(problem, device.traits) : [];
    for (const call of calls) {
      const inputs = sampleInputs(convolution, problem, call, uniformNumbers(index));
      inputs.scale[1] = NaN;
      const { y } = await runKernel(device, call, inputs);
      y.forEach((value, i) =>
        assert.is(
          Number.isNaN(value),
          i % problem.outputChannels === 1,
          `case ${index}, ${call.variant}: y[${i}] is ${value}`,
        ),
      );
      for (const { shader } of call.dispatches) met.add(shader.name);
    }
  }
  for (const shader of [
    'convolution-direct.wgsl',
    'convolution-tiled.wgsl',
    'sum-partials-epilogue.wgsl',
    'winograd-output.wgsl',
  ])
    assert.ok(met.has(shader), shader);
  // Without subgroups, as in Deno, it is offered to no one.
  assert.is(
    [...met].some((shader) => shader.startsWith('convolution-weight-stationary')),
    device.traits.subgroupSize > 0,
  );
});

test.run();
