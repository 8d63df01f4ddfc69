import { initialize } from '../../kernels/initialize.ts';
import type { Device } from '../gpu/device.ts';
import { readBuffer } from '../gpu/run-kernel.ts';
import { Sequence, type BoundDispatch } from '../gpu/sequence.ts';
import { STREAM } from '../random/philox.ts';
import type { Chooser } from './choices.ts';
import { withinLimits } from './slicing.ts';
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

  /** Fills every tensor of a store as its `initial` says, with random numbers that depend on the seed and its name alone. */
  async initialize(store: Store, seed: number): Promise<void> {
    const { gpu, traits } = this.device;
    const buffer = this.buffer(store);
    const bound: BoundDispatch[] = [];
    for (const [name, { tensor, offset, initial }] of store.entries) {
      const calls = initialize.calls({ count: tensor.length, distribution: initial, key: [seed >>> 0, STREAM.initialisation], address: [hashName(name), 0] }, traits);
      const call = withinLimits(calls, { maxBindingBytes: gpu.limits.maxStorageBufferBindingSize, maxWorkgroupsPerDimension: traits.maxWorkgroupsPerDimension });
      const range = { buffer, offset: BYTES * offset, size: BYTES * tensor.length };
      for (const dispatch of call?.dispatches ?? []) bound.push({ dispatch, ranges: dispatch.operands.map(() => range), label: `initialize ${name}` });
    }
    const sequence = await Sequence.prepare(this.device, bound);
    const encoder = this.device.gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    sequence.record(pass);
    pass.end();
    this.device.gpu.queue.submit([encoder.finish()]);
    await this.device.idle();
    sequence.destroy();
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

/** FNV-1a: gives every tensor a stream of random numbers of its own, whatever stands before it in the store. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
