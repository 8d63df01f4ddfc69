import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DeviceLostError } from '../../src/gpu/errors.ts';
import { ReadbackRing } from '../../src/gpu/readback.ts';
import { readBuffer } from '../../src/gpu/run-kernel.ts';
import type { Device } from '../../src/gpu/device.ts';
import { openDevice } from '../../src/platform/adapter.ts';
import { testDevice } from '../support/device.ts';

function filledBuffer(device: Device, values: Uint32Array<ArrayBuffer>): GPUBuffer {
  const buffer = device.gpu.createBuffer({
    size: values.byteLength,
    usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  device.gpu.queue.writeBuffer(buffer, 0, values);
  return buffer;
}

/** Copies the parts into the next slot and reads it. */
function readOnce(device: Device, ring: ReadbackRing): Promise<ArrayBuffer[]> {
  const encoder = device.gpu.createCommandEncoder();
  const slot = ring.record(encoder);
  device.gpu.queue.submit([encoder.finish()]);
  return ring.read(slot);
}

test('the parts come back in order, each by itself', async () => {
  const device = await testDevice();
  const first = filledBuffer(device, Uint32Array.of(1, 2, 3, 4));
  const second = filledBuffer(device, Uint32Array.of(5, 6));
  const ring = new ReadbackRing(
    device,
    [
      { buffer: first, offset: 8, size: 8 },
      { buffer: second, offset: 0, size: 4 },
      { buffer: first, offset: 0, size: 4 },
    ],
    2,
  );
  const parts = await readOnce(device, ring);
  assert.equal(
    parts.map((part) => [...new Uint32Array(part)]),
    [[3, 4], [5], [1]],
  );
  ring.destroy();
});

test('a ring of three holds three runs, each with the values of its own moment', async () => {
  const device = await testDevice();
  const buffer = filledBuffer(device, Uint32Array.of(0));
  const ring = new ReadbackRing(device, [{ buffer, offset: 0, size: 4 }], 3);
  const reads: Promise<ArrayBuffer[]>[] = [];
  for (let run = 0; run < 10; run++) {
    while (ring.full) await ring.available();
    device.gpu.queue.writeBuffer(buffer, 0, Uint32Array.of(run));
    reads.push(readOnce(device, ring));
    if (run === 2) assert.ok(ring.full);
  }
  const values = (await Promise.all(reads)).map(([part]) => new Uint32Array(part)[0]);
  assert.equal(values, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  ring.destroy();
});

test('a ring without parts still tells when a run is done', async () => {
  const device = await testDevice();
  const ring = new ReadbackRing(device, [], 1);
  assert.equal(await readOnce(device, ring), []);
  ring.destroy();
});

test('reads that the device did not live to answer reject with its loss', async () => {
  const device = await openDevice();
  const buffer = filledBuffer(device, Uint32Array.of(9));
  const ring = new ReadbackRing(device, [{ buffer, offset: 0, size: 4 }], 2);
  const pending = readOnce(device, ring);
  device.gpu.destroy();
  for (const outcome of await Promise.allSettled([pending, readBuffer(device, buffer)])) {
    if (outcome.status === 'fulfilled') assert.unreachable('the device was gone before it could answer');
    else assert.instance(outcome.reason, DeviceLostError, String(outcome.reason));
  }
});

test.run();
