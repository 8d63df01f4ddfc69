import type { Device } from './device.ts';
import { float16ToFloat32Bits, float32ToFloat16Bits, narrow, widen } from '../../kernels/contract/half.ts';
import type { Dispatch } from '../../kernels/contract/dispatch.ts';
import { storageBytes, type ElementType } from '../../kernels/contract/element-types.ts';
import { Sequence } from './sequence.ts';

/** What `runKernel` needs of a kernel call; kernels/kernel.ts adds meaning to it. */
interface Runnable {
  readonly variant: string;
  readonly operands: Readonly<
    Record<string, { readonly role: string; readonly type: ElementType; readonly length: number }>
  >;
  readonly dispatches: readonly Dispatch[];
}

/** Bytes past the end of every operand, filled with this word, which must still be there afterwards. */
const GUARD_WORDS = 64;
const GUARD = 0x7fc0beef;

/**
 * Runs one kernel call by itself, each operand in a buffer of its own, and reads its results back. For tests, the
 * qualification of variants and experiments; a network runs as a program instead.
 * Outputs start as NaN, so that an element which is never written cannot pass for a zero.
 * @returns the values of all operands that are not inputs, by name
 * @throws Error if the kernel wrote behind the end of an operand
 */
export async function runKernel(
  device: Device,
  call: Runnable,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): Promise<Record<string, Float32Array | Uint32Array>> {
  const buffers = new Map<string, GPUBuffer>();
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  let sequence: Sequence | undefined;
  try {
    for (const [name, operand] of Object.entries(call.operands)) {
      const words = new Uint32Array(wordsOf(operand) + GUARD_WORDS).fill(GUARD);
      const given = inputs[name];
      if (given !== undefined) {
        if (given.length !== operand.length)
          throw new RangeError(`${call.variant}: ${name} has ${given.length} elements, not ${operand.length}`);
        if (operand.type === 'f16')
          new Uint16Array(words.buffer).set(narrow(Float32Array.from(given), float32ToFloat16Bits));
        else if (operand.type === 'f32') new Float32Array(words.buffer).set(given);
        else words.set(given);
      } else if (operand.role === 'input' || operand.role === 'inout') {
        throw new RangeError(`${call.variant}: no value for ${name}`);
      }
      const buffer = device.noted(() => device.createBuffer({ label: name, size: words.byteLength, usage }));
      buffers.set(name, buffer);
      device.noted(() => device.gpu.queue.writeBuffer(buffer, 0, words));
    }
    const range = (name: string): { buffer: GPUBuffer; offset: number; size: number } => {
      const buffer = buffers.get(name);
      if (buffer === undefined) throw new RangeError(`${call.variant}: no operand is called ${name}`);
      return { buffer, offset: 0, size: 4 * wordsOf(call.operands[name]) };
    };
    sequence = await Sequence.prepare(
      device,
      call.dispatches.map((dispatch) => ({ dispatch, ranges: dispatch.operands.map(range), label: call.variant })),
    );
    sequence.submit();

    const results: Record<string, Float32Array | Uint32Array> = {};
    const written = Object.entries(call.operands).filter(([, { role }]) => role !== 'input');
    // All at once: a runtime may look only now and then whether a buffer is mapped, Deno every 10 ms.
    const reads = written.map(([name]) => readBuffer(device, buffers.get(name) as GPUBuffer));
    // No buffer may be freed while it is still read.
    await Promise.allSettled(reads);
    for (const [place, [name, operand]] of written.entries()) {
      const words = new Uint32Array(await reads[place]);
      const end = wordsOf(operand);
      if (words.subarray(end).some((word) => word !== GUARD))
        throw new Error(`${call.variant} wrote behind the end of ${name}`);
      const values = words.slice(0, end);
      if (operand.type === 'f16')
        results[name] = widen(new Uint16Array(values.buffer, 0, operand.length), float16ToFloat32Bits);
      else results[name] = operand.type === 'f32' ? new Float32Array(values.buffer) : values;
    }
    device.check();
    return results;
  } finally {
    sequence?.destroy();
    for (const buffer of buffers.values()) device.freeBuffer(buffer);
  }
}

/** The largest staging buffer, so that reading a store does not take its size once more on the device. */
const STAGING_BYTES = 2 ** 24;

const wordsOf = ({ type, length }: { readonly type: ElementType; readonly length: number }): number =>
  storageBytes(type, length) / 4;

/** Copies (a part of) a buffer to the host. Slow: for tests and checkpoints, never inside a step. */
export async function readBuffer(
  device: Device,
  buffer: GPUBuffer,
  offset = 0,
  size = buffer.size - offset,
): Promise<ArrayBuffer> {
  const result = new Uint8Array(size);
  const staging = device.noted(() =>
    device.createBuffer({
      label: 'values to read',
      size: Math.min(size, STAGING_BYTES),
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    }),
  );
  try {
    for (let done = 0; done < size; done += staging.size) {
      const part = Math.min(staging.size, size - done);
      await device.awaited(() => {
        const encoder = device.gpu.createCommandEncoder();
        encoder.copyBufferToBuffer(buffer, offset + done, staging, 0, part);
        device.gpu.queue.submit([encoder.finish()]);
        return staging.mapAsync(GPUMapMode.READ, 0, part);
      });
      result.set(new Uint8Array(staging.getMappedRange(0, part)), done);
      staging.unmap();
    }
    return result.buffer;
  } finally {
    device.freeBuffer(staging);
  }
}
