import type { Device } from '../gpu/device.ts';
import { readBuffer } from '../gpu/run-kernel.ts';
import type { Chooser } from './choices.ts';
import type { Store } from './store.ts';
import { describe, ShapeError, type Tensor } from './tensor.ts';

const BYTES = 4;

/** The size of a store's buffer. */
export const storeBytes = (store: Store): number => Math.max(BYTES * store.length, 256);

/** The buffers of stores on one device; programs that share a storage share parameters and state. */
export class Storage {
  readonly device: Device;
  /** Chooses the variants of the programs over this storage; without one, kernels run as they prefer. */
  readonly chooser: Chooser | undefined;
  private readonly buffers = new Map<Store, GPUBuffer>();

  constructor(device: Device, chooser?: Chooser) {
    this.device = device;
    this.chooser = chooser;
  }

  /** The buffer of a store; made at its first use, when it holds what is constant of its initial values, and zeros. */
  buffer(store: Store): GPUBuffer {
    let buffer = this.buffers.get(store);
    if (buffer === undefined) {
      buffer = this.device.createBuffer({
        label: store.name,
        size: storeBytes(store),
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
      });
      this.buffers.set(store, buffer);
      for (const { tensor, initial } of store.entries.values()) {
        if (initial.kind === 'constant' && initial.value !== 0) this.write(tensor, new Float32Array(tensor.length).fill(initial.value));
      }
    }
    return buffer;
  }

  /** Bytes that all stores occupy. */
  get bytes(): number {
    let sum = 0;
    for (const buffer of this.buffers.values()) sum += buffer.size;
    return sum;
  }

  /** Writes a stored tensor's values, in the order of its shape. */
  write(tensor: Tensor, values: Float32Array): void {
    const { store, offset } = stored(tensor);
    if (values.length !== tensor.length) throw new ShapeError(`${describe(tensor)} was given ${values.length} values`);
    this.device.gpu.queue.writeBuffer(this.buffer(store), BYTES * offset, values as Float32Array<ArrayBuffer>);
  }

  /** Reads a stored tensor. Slow, for checkpoints and tests. */
  async read(tensor: Tensor): Promise<Float32Array> {
    const { store, offset } = stored(tensor);
    return new Float32Array(await readBuffer(this.device, this.buffer(store), BYTES * offset, BYTES * tensor.length));
  }

  destroy(): void {
    for (const buffer of this.buffers.values()) this.device.freeBuffer(buffer);
    this.buffers.clear();
  }
}

function stored(tensor: Tensor): { readonly store: Store; readonly offset: number } {
  if (tensor.origin.kind !== 'stored') throw new ShapeError(`${describe(tensor)} is not kept in a store`);
  return tensor.origin;
}
