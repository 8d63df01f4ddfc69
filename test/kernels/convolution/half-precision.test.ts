import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testDevice } from '../../support/device.ts';

// lavapipe has 16-bit floats, SwiftShader has none; the suites of the modules run the cases.
const { traits, description } = await testDevice();
test('lavapipe has 16-bit floats: the cases of 16-bit floats run there', () => {
  assert.is(traits.f16, /llvmpipe/.test(`${description.device} ${description.description}`));
});

test.run();
