import type { Device } from './device.ts';

/** What is copied to the host after a run; offsets and sizes in bytes. */
export interface ReadbackPart {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

interface Slot {
  readonly buffer: GPUBuffer;
  pending: Promise<unknown> | undefined;
}

/** The size of a staging buffer for one run's results. */
export const slotBytes = (parts: readonly { readonly size: number }[]): number =>
  Math.max(
    4,
    parts.reduce((sum, part) => sum + part.size, 0),
  );

/**
 * A ring of staging buffers: results of a run are copied into the next one and reach the host when the device gets
 * there, while further runs are under way. Made once; using it allocates nothing on the device.
 */
export class ReadbackRing {
  private readonly device: Device;
  private readonly parts: readonly ReadbackPart[];
  private readonly size: number;
  private readonly slots: Slot[];
  private next = 0;

  constructor(device: Device, parts: readonly ReadbackPart[], depth: number) {
    this.device = device;
    this.parts = parts;
    this.size = slotBytes(parts);
    this.slots = Array.from({ length: depth }, () => ({
      buffer: device.createBuffer({
        label: 'results of a run',
        size: this.size,
        usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
      }),
      pending: undefined,
    }));
  }

  /** Whether as many runs are under way as the ring is deep. */
  get full(): boolean {
    return this.slots[this.next].pending !== undefined;
  }

  /**
   * Resolves when the oldest run has been read. Look at `full` again afterwards: another caller may have been first.
   */
  async available(): Promise<void> {
    // A failed read is reported to its caller, not to the next user of its slot.
    await this.slots[this.next].pending?.catch(() => undefined);
  }

  /** Records the copies into the next slot. Call `read` with the result once the commands are submitted. */
  record(encoder: GPUCommandEncoder): Slot {
    const slot = this.slots[this.next];
    this.next = (this.next + 1) % this.slots.length;
    let offset = 0;
    for (const part of this.parts) {
      encoder.copyBufferToBuffer(part.buffer, part.offset, slot.buffer, offset, part.size);
      offset += part.size;
    }
    return slot;
  }

  /** The parts' bytes, in order. Rejects where the device fails; never gives anything in place of a result. */
  read(slot: Slot): Promise<ArrayBuffer[]> {
    const reading = this.device.wait(this.map(slot));
    slot.pending = reading;
    void reading
      .catch(() => undefined)
      .then(() => {
        if (slot.pending === reading) slot.pending = undefined;
      });
    return reading;
  }

  private async map(slot: Slot): Promise<ArrayBuffer[]> {
    await slot.buffer.mapAsync(GPUMapMode.READ, 0, this.size);
    const bytes = slot.buffer.getMappedRange();
    let offset = 0;
    const results = this.parts.map((part) => {
      offset += part.size;
      return bytes.slice(offset - part.size, offset);
    });
    slot.buffer.unmap();
    this.device.check();
    return results;
  }

  destroy(): void {
    for (const slot of this.slots) this.device.freeBuffer(slot.buffer);
  }
}
