import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { f32, type Dispatch } from '../../kernels/contract/dispatch.ts';
import type { Device } from '../../src/gpu/device.ts';
import { LimitError } from '../../src/gpu/errors.ts';
import { readBuffer } from '../../src/gpu/run-kernel.ts';
import { Sequence, type BoundDispatch } from '../../src/gpu/sequence.ts';
import { scale } from '../../kernels/elementwise/functions.ts';
import { pointwiseKernel } from '../../kernels/elementwise/pointwise.ts';
import { testDevice } from '../support/device.ts';

const COUNT = 4;

function storageBuffer(device: Device, values: readonly number[]): GPUBuffer {
  const data = Float32Array.from(values);
  const buffer = device.gpu.createBuffer({
    size: data.byteLength,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  device.gpu.queue.writeBuffer(buffer, 0, data);
  return buffer;
}

/** target = source * factor. */
function scaling(device: Device, source: GPUBuffer, target: GPUBuffer, factor: number): BoundDispatch {
  const [dispatch] = pointwiseKernel(scale).calls({ count: COUNT, parameters: { factor } }, device.traits)[0]
    .dispatches;
  return {
    dispatch,
    label: `times ${factor}`,
    ranges: [target, source].map((buffer) => ({ buffer, offset: 0, size: 4 * COUNT })),
  };
}

function run(device: Device, sequence: Sequence, first?: number, last?: number): void {
  const encoder = device.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  sequence.record(pass, first, last);
  pass.end();
  device.gpu.queue.submit([encoder.finish()]);
}

test('dispatches run in order, each with its own parameters, and can be run in part and again', async () => {
  const device = await testDevice();
  const a = storageBuffer(device, [1, 2, 3, 4]);
  const b = storageBuffer(device, [0, 0, 0, 0]);
  const sequence = await Sequence.prepare(device, [scaling(device, a, b, 2), scaling(device, b, a, -3)]);
  const read = async (buffer: GPUBuffer): Promise<number[]> => [...new Float32Array(await readBuffer(device, buffer))];

  run(device, sequence);
  assert.equal(await read(a), [-6, -12, -18, -24]);
  run(device, sequence, 0, 1);
  assert.equal(await read(b), [-12, -24, -36, -48]);
  assert.equal(await read(a), [-6, -12, -18, -24]);
  run(device, sequence, 1);
  assert.equal(await read(a), [36, 72, 108, 144]);
  assert.equal(
    sequence.commands.map(({ label }) => label),
    ['times 2', 'times -3'],
  );
  sequence.destroy();
});

test('a grid and a binding above the limits are errors that name label, operand, figure and limit', async () => {
  const device = await testDevice();
  const buffer = storageBuffer(device, [1, 2, 3, 4]);
  const bound = scaling(device, buffer, storageBuffer(device, [0, 0, 0, 0]), 2);
  const refused = async (change: Partial<BoundDispatch>): Promise<string> => {
    const [outcome] = await Promise.allSettled([Sequence.prepare(device, [{ ...bound, ...change }])]);
    if (outcome.status === 'fulfilled') return assert.unreachable('it was accepted') as never;
    assert.instance(outcome.reason, LimitError);
    return (outcome.reason as Error).message;
  };
  const grid: Dispatch = {
    ...bound.dispatch,
    workgroups: [1, device.gpu.limits.maxComputeWorkgroupsPerDimension + 1, 1],
  };
  assert.match(
    await refused({ dispatch: grid }),
    /times 2: a grid of 1 x 65536 x 1 workgroups, this adapter allows 65535 a dimension/,
  );
  const size = device.gpu.limits.maxStorageBufferBindingSize + 4;
  assert.match(
    await refused({ ranges: [{ buffer, offset: 0, size }, bound.ranges[1]] }),
    new RegExp(`times 2: operand result has ${size} bytes.*maxStorageBufferBindingSize`),
  );
});

test('an empty sequence is nothing to do', async () => {
  const sequence = await Sequence.prepare(await testDevice(), []);
  run(await testDevice(), sequence);
  await (await testDevice()).idle();
  assert.is(sequence.commands.length, 0);
  sequence.destroy();
});

test('words of the uniform block are integers unless marked as floats', async () => {
  const device = await testDevice();
  const a = storageBuffer(device, [1, 2, 3, 4]);
  const b = storageBuffer(device, [0, 0, 0, 0]);
  const bound = scaling(device, a, b, 1);
  const sequence = await Sequence.prepare(device, [
    {
      ...bound,
      dispatch: {
        ...bound.dispatch,
        parameters: bound.dispatch.parameters?.map((word, i) => (i === 4 ? f32(0.1) : word)),
      },
    },
  ]);
  run(device, sequence);
  assert.equal(
    [...new Float32Array(await readBuffer(device, b))],
    [1, 2, 3, 4].map((value) => Math.fround(value * Math.fround(0.1))),
  );
  sequence.destroy();
});

test.run();
