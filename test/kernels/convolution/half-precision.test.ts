import type { AnyKernel } from '../../../kernels/kernel.ts';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KERNEL_FAMILIES } from '../../../kernels/index.ts';
import { HALF } from '../../../kernels/convolution/problem.ts';
import { testDevice } from '../../support/device.ts';

// lavapipe has 16-bit floats, SwiftShader has none; the suites of the modules run the cases.
const { traits, description } = await testDevice();
const kernels: readonly AnyKernel[] = Object.values(KERNEL_FAMILIES.convolution).flat();
test('lavapipe has 16-bit floats: the cases of 16-bit floats run there', () => {
  assert.is(traits.f16, /llvmpipe/.test(`${description.device} ${description.description}`));
});

for (const kernel of kernels) {
  test(`${kernel.name}: 16-bit channels that are not multiples of four have no variant`, () => {
    const shape = {
      ...HALF,
      batch: 1,
      height: 2,
      width: 2,
      inputChannels: 5,
      outputChannels: 8,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
      epsilon: 1,
    };
    assert.equal(kernel.calls(shape as never, { ...traits, f16: true }), []);
  });
}

test.run();
