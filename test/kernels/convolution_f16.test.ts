import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convolutionF16 } from '../../kernels/convolution_f16.ts';
import { testKernel } from '../support/kernel-test.ts';
import { testDevice } from '../support/device.ts';

// lavapipe has 16-bit floats, SwiftShader has none.
const { traits, description } = await testDevice();
if (traits.f16 === true) {
  testKernel(convolutionF16);
} else {
  test('an adapter without 16-bit floats is offered no variant', () => {
    for (const problem of convolutionF16.cases) assert.equal(convolutionF16.calls(problem, traits), []);
  });
}

test('lavapipe has 16-bit floats: the cases above did run there', () => {
  assert.is(traits.f16, /llvmpipe/.test(`${description.device} ${description.description}`));
});

test('channels that are not multiples of four have no variant', () => {
  const shape = { batch: 1, height: 2, width: 2, inputChannels: 5, outputChannels: 8, kernel: [1, 1], stride: [1, 1], padding: [0, 0] } as const;
  assert.equal(convolutionF16.calls(shape, { ...traits, f16: true }), []);
});

test.run();
