import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { maxPool, MaxPoolShapeError } from '../../../kernels/pooling/max-pool.ts';
import { runKernel } from '../../../src/gpu/run-kernel.ts';
import { testDevice } from '../../support/device.ts';

// One window of 2x2 pixels each. PyTorch (MaxPoolKernel.cpp) goes through a window in order and takes an element that
// is greater than the maximum so far, or NaN.
const WINDOWS: readonly { readonly pixels: readonly number[]; readonly value: number; readonly position: number }[] = [
  { pixels: [1, 2, 2, 2], value: 2, position: 1 },
  { pixels: [-0, 0, -1, 0], value: -0, position: 0 },
  { pixels: [-Infinity, -Infinity, -Infinity, -Infinity], value: -Infinity, position: 0 },
  { pixels: [1, Infinity, 3, Infinity], value: Infinity, position: 1 },
  { pixels: [1, NaN, Infinity, 2], value: NaN, position: 1 },
  { pixels: [NaN, 5, NaN, 7], value: NaN, position: 2 },
];

test('max_pool: ties, infinities and NaN are decided as in PyTorch', async () => {
  const device = await testDevice();
  for (const channels of [1, 4]) {
    const problem = { batch: WINDOWS.length, height: 2, width: 2, channels, window: 2, stride: 2, padding: 0 };
    const x = Float64Array.from(
      WINDOWS.flatMap(({ pixels }) => pixels.flatMap((pixel) => Array<number>(channels).fill(pixel))),
    );
    const reference = maxPool.reference(problem, { x });
    for (const call of maxPool.calls(problem, device.traits)) {
      const { y, position } = await runKernel(device, call, { x });
      WINDOWS.forEach((window, i) => {
        assert.ok(Object.is(y[i * channels], window.value), `${call.variant}: value of window ${i}`);
        assert.is(position[i * channels], window.position, `${call.variant}: position of window ${i}`);
        assert.ok(Object.is(reference.y.value[i * channels], window.value), `reference: value of window ${i}`);
        assert.is(reference.position.value[i * channels], window.position, `reference: position of window ${i}`);
      });
    }
  }
});

test('max_pool: windows that do not fit are refused', async () => {
  const { traits } = await testDevice();
  const problem = { batch: 1, height: 4, width: 4, channels: 4, window: 3, stride: 2, padding: 2 };
  assert.throws(
    () => maxPool.calls(problem, traits),
    (error: unknown) => error instanceof MaxPoolShapeError && /padding 2/.test(error.message),
  );
  assert.throws(
    () => maxPool.calls({ ...problem, window: 7, padding: 1 }, traits),
    (error: unknown) => error instanceof MaxPoolShapeError && /fewer than the window/.test(error.message),
  );
});

test.run();
