import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Device } from '../../src/gpu/device.ts';
import { Profiler } from '../../src/gpu/profiler.ts';
import { readBuffer } from '../../src/gpu/run-kernel.ts';
import { Sequence } from '../../src/gpu/sequence.ts';
import { scale } from '../../kernels/elementwise/functions.ts';
import { pointwiseKernel } from '../../kernels/elementwise/pointwise.ts';
import { testDevice } from '../support/device.ts';

/** More dispatches than one query set has room for. */
const DISPATCHES = 2100;

async function doublings(
  device: Device,
): Promise<{ readonly sequence: Sequence; readonly buffers: readonly GPUBuffer[] }> {
  const buffers = [0, 1].map(() =>
    device.gpu.createBuffer({
      size: 4,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    }),
  );
  device.gpu.queue.writeBuffer(buffers[0], 0, Float32Array.of(1));
  const sequence = await Sequence.prepare(
    device,
    Array.from({ length: DISPATCHES }, (_, i) => {
      const [dispatch] = pointwiseKernel(scale).calls({ count: 1, parameters: { factor: -1 } }, device.traits)[0]
        .dispatches;
      return {
        dispatch,
        label: `dispatch ${i}`,
        ranges: [buffers[(i + 1) % 2], buffers[i % 2]].map((buffer) => ({ buffer, offset: 0, size: 4 })),
      };
    }),
  );
  return { sequence, buffers };
}

test('every dispatch has a span, in order, and the work was really done', async () => {
  const device = await testDevice();
  const { sequence, buffers } = await doublings(device);
  const start = performance.now();
  const spans = await new Profiler(device).run(sequence);
  const elapsed = 1000 * (performance.now() - start);

  assert.equal(
    spans.map(({ label }) => label),
    sequence.commands.map(({ label }) => label),
  );
  assert.is(spans[0].start, 0);
  let busy = 0;
  spans.forEach(({ start: begin, duration }, i) => {
    assert.ok(
      duration >= 0 && (i === 0 || begin >= spans[i - 1].start),
      `span ${i} starts at ${begin} and takes ${duration}`,
    );
    busy += duration;
  });
  assert.ok(busy > 0 && busy <= elapsed, `${busy} us of spans in ${elapsed} us`);
  // Dawn rounds timestamps unless it is told not to.
  const ROUNDED = 65.536;
  const rounded = spans.filter(({ start: begin }) => Math.abs(begin / ROUNDED - Math.round(begin / ROUNDED)) < 1e-6);
  assert.ok(
    rounded.length < spans.length / 2,
    `${rounded.length} of ${spans.length} spans start at multiples of ${ROUNDED} us`,
  );
  assert.is(new Float32Array(await readBuffer(device, buffers[DISPATCHES % 2]))[0], (-1) ** DISPATCHES);
  sequence.destroy();
});

test("without timestamps the host's clock times the dispatches", async () => {
  const device = await testDevice();
  const { sequence, buffers } = await doublings(device);
  const withoutTimestamps = Object.create(device, {
    gpu: {
      value: new Proxy(device.gpu, {
        get: (gpu, key) => (key === 'features' ? new Set() : bindIfFunction(gpu, Reflect.get(gpu, key, gpu))),
      }),
    },
  }) as Device;
  const spans = await new Profiler(withoutTimestamps).run(sequence);
  assert.is(spans.length, DISPATCHES);
  assert.ok(
    spans.every(
      ({ start, duration }, i) => duration > 0 && (i === 0 || start >= spans[i - 1].start + spans[i - 1].duration),
    ),
  );
  assert.is(new Float32Array(await readBuffer(device, buffers[DISPATCHES % 2]))[0], (-1) ** DISPATCHES);
  sequence.destroy();
});

const bindIfFunction = (owner: object, value: unknown): unknown =>
  typeof value === 'function' ? (value as (...parameters: unknown[]) => unknown).bind(owner) : value;

test.run();
