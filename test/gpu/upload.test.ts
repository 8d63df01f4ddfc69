import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Device } from '../../src/gpu/device.ts';
import { DeviceLostError } from '../../src/gpu/errors.ts';
import { readBuffer } from '../../src/gpu/run-kernel.ts';
import { UploadRing, type UploadPart } from '../../src/gpu/upload.ts';
import { openDevice } from '../../src/platform/adapter.ts';
import { testDevice } from '../support/device.ts';

const part = (device: Device, size: number): UploadPart => ({
  size,
  buffer: device.createBuffer({ size, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST }),
});

/** Submits the copies of one run's values, and after them those into another buffer, if any is given. */
function upload(
  { gpu }: Device,
  ring: UploadRing,
  values: readonly ArrayBufferView[],
  then?: (encoder: GPUCommandEncoder) => void,
): void {
  const encoder = gpu.createCommandEncoder();
  const slot = ring.record(encoder, values);
  then?.(encoder);
  gpu.queue.submit([encoder.finish()]);
  ring.reclaim(slot);
}

const wordsIn = async (device: Device, { buffer }: UploadPart): Promise<number[]> => [
  ...new Uint32Array(await readBuffer(device, buffer)),
];

test('each value reaches the buffer of its part, views of larger arrays by what they show', async () => {
  const device = await testDevice();
  const parts = [part(device, 8), part(device, 4), part(device, 12)];
  const ring = new UploadRing(device, parts, 2);
  upload(device, ring, [
    Uint32Array.of(9, 1, 2, 9).subarray(1, 3),
    Uint32Array.of(3),
    Uint32Array.of(9, 4, 5, 6).subarray(1),
  ]);
  assert.equal(await Promise.all(parts.map((one) => wordsIn(device, one))), [[1, 2], [3], [4, 5, 6]]);
  ring.destroy();
});

test('a value that is shorter than its part is filled up with zeros, not with what a run before has left', async () => {
  const device = await testDevice();
  const parts = [part(device, 8), part(device, 4)];
  const ring = new UploadRing(device, parts, 1);
  upload(device, ring, [new Uint8Array(8).fill(255), Uint32Array.of(7)]);
  await ring.available();
  upload(device, ring, [new Uint8Array(5).fill(1), Uint32Array.of(8)]);
  assert.equal(await Promise.all(parts.map((one) => wordsIn(device, one))), [[0x01010101, 1], [8]]);
  ring.destroy();
});

test('a slot is full until the device has read from it, and each run finds the values of its own moment', async () => {
  const device = await testDevice();
  const [current, history] = [part(device, 4), part(device, 40)];
  const ring = new UploadRing(device, [current], 3);
  let waited = 0;
  for (let run = 0; run < 10; run++) {
    if (run === 3) assert.ok(ring.full, 'three runs are under way');
    for (; ring.full; waited++) await ring.available();
    upload(device, ring, [Uint32Array.of(run)], (encoder) =>
      encoder.copyBufferToBuffer(current.buffer, 0, history.buffer, 4 * run, 4),
    );
  }
  assert.ok(waited > 0);
  assert.equal(await wordsIn(device, history), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  ring.destroy();
});

test('a ring without parts holds nothing and is never full', async () => {
  const device = await testDevice();
  const ring = new UploadRing(device, [], 1);
  for (let run = 0; run < 3; run++) {
    assert.not(ring.full);
    upload(device, ring, []);
    await ring.available();
  }
  ring.destroy();
});

test('a slot that the device did not live to give back is its loss, for whoever needs it; nobody else hears of it', async () => {
  const device = await openDevice();
  const ring = new UploadRing(device, [part(device, 4)], 1);
  upload(device, ring, [Uint32Array.of(1)]);
  device.gpu.destroy();
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (let attempt = 0; attempt < 2; attempt++) {
    const outcome = await ring.available().then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.instance(outcome, DeviceLostError, String(outcome));
  }
});

test('a ring that ends while its slots are on their way leaves no error behind', async () => {
  const device = await testDevice();
  const ring = new UploadRing(device, [part(device, 4)], 2);
  upload(device, ring, [Uint32Array.of(1)]);
  ring.destroy();
  await device.idle();
  device.check();
});

test.run();
