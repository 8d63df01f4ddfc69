import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cast } from '../../../kernels/elementwise/cast.ts';
import { float16ToFloat32Bits, widen } from '../../../kernels/contract/half.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

test('every finite 16-bit float comes back as it was', async () => {
  const device = await testDevice();
  const values = widen(
    Uint16Array.from({ length: 65536 }, (_, bits) => bits),
    float16ToFloat32Bits,
  ).filter(Number.isFinite);
  const calls = (['f16', 'f32'] as const).map((to) => cast.calls({ count: values.length, to }, device.traits)[0]);
  for (const call of calls) {
    const { cast: result } = await runKernel(device, call, { values });
    // Object.is tells -0 from 0.
    assert.ok(
      values.every((value, i) => Object.is(value, result[i])),
      call.variant,
    );
  }
});

test('a NaN stays a NaN both ways', async () => {
  const device = await testDevice();
  for (const to of ['f16', 'f32'] as const) {
    const { cast: result } = await runKernel(device, cast.calls({ count: 2, to }, device.traits)[0], {
      values: [NaN, 1],
    });
    assert.ok(Number.isNaN(result[0]) && result[1] === 1, to);
  }
});

test.run();
