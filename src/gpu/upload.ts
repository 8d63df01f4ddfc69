import type { Device } from './device.ts';

/** What a run is given: the whole of a buffer's values; size in bytes, a multiple of four. */
export interface UploadPart {
  readonly buffer: GPUBuffer;
  readonly size: number;
}

interface Slot {
  readonly buffer: GPUBuffer;
  mapped: boolean;
  mapping: Promise<void>;
}

/**
 * A ring of staging buffers that the host writes and the device copies from, the counterpart of `ReadbackRing`. A slot
 * is mapped whenever no run needs it, so that to fill it is to copy into memory that is there. `queue.writeBuffer`
 * promises the same and may take new memory for each call. Made once; using it allocates nothing on the device. Without
 * parts it holds nothing.
 */
export class UploadRing {
  private readonly device: Device;
  private readonly parts: readonly UploadPart[];
  private readonly slots: readonly Slot[];
  private next = 0;

  constructor(device: Device, parts: readonly UploadPart[], depth: number) {
    this.device = device;
    this.parts = parts;
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    this.slots = Array.from({ length: parts.length === 0 ? 0 : depth }, () => ({
      buffer: device.createBuffer({
        label: 'inputs of a run',
        size,
        usage: GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC,
        mappedAtCreation: true,
      }),
      mapped: true,
      mapping: Promise.resolve(),
    }));
  }

  /** Whether the device may still read from the next slot. */
  get full(): boolean {
    return this.slots.at(this.next)?.mapped === false;
  }

  /**
   * Resolves when the device is done with the next slot. Look at `full` again afterwards: another caller may have been
   * first.
   * @throws DeviceLostError, or why the slot could not be mapped
   */
  async available(): Promise<void> {
    const slot = this.slots.at(this.next);
    if (slot !== undefined) await this.device.wait(slot.mapping);
  }

  /**
   * Copies a run's values, one for each part, into the next slot, and records the copies from there to the parts'
   * buffers. A value that is shorter than its part is filled up with zeros. Call `reclaim` with the result once the
   * commands are submitted.
   * @throws where the slot is not mapped any more because the device is being lost
   */
  record(encoder: GPUCommandEncoder, values: readonly ArrayBufferView[]): Slot | undefined {
    const slot = this.slots.at(this.next);
    if (slot === undefined) return undefined;
    // Nothing between here and `unmap` may fail, or the slot stays mapped: values of more bytes than their part would.
    values.forEach(({ byteLength }, index) => {
      if (byteLength > this.parts[index].size)
        throw new RangeError(`${byteLength} bytes for a part of ${this.parts[index].size}`);
    });
    const room = new Uint8Array(slot.buffer.getMappedRange());
    let offset = 0;
    for (const [index, { buffer, size }] of this.parts.entries()) {
      const { buffer: memory, byteOffset, byteLength } = values[index];
      room.set(new Uint8Array(memory, byteOffset, byteLength), offset);
      // An earlier run's bytes are still here.
      room.fill(0, offset + byteLength, offset + size);
      encoder.copyBufferToBuffer(slot.buffer, offset, buffer, 0, size);
      offset += size;
    }
    slot.buffer.unmap();
    this.next = (this.next + 1) % this.slots.length;
    return slot;
  }

  /** Has a slot mapped again as soon as the device has done what was submitted. */
  reclaim(slot: Slot | undefined): void {
    if (slot === undefined) return;
    slot.mapped = false;
    slot.mapping = this.map(slot);
    // A failure is told to who needs the slot next, if anybody does.
    slot.mapping.catch(() => undefined);
  }

  private async map(slot: Slot): Promise<void> {
    await slot.buffer.mapAsync(GPUMapMode.WRITE);
    slot.mapped = true;
  }

  destroy(): void {
    for (const slot of this.slots) this.device.freeBuffer(slot.buffer);
  }
}
