import type { Device } from '../gpu/device.ts';
import { DisposedError } from '../gpu/errors.ts';
import { hostValues, type HostValues } from '../gpu/host-values.ts';
import { readBuffer } from '../gpu/run-kernel.ts';
import type { VariantSelector } from './variant-selector.ts';
import { describe, ShapeError, type ParameterStore, type Tensor } from './tensor.ts';

const BYTES = 4;

/** The size of a store's buffer. */
export const storeBytes = (store: ParameterStore): number => Math.max(BYTES * store.length, 256);

/** The buffers of stores on one device; programs that share a storage share parameters and state. */
export class DeviceStorage {
  readonly device: Device;
  /** Chooses the variants of the programs over this storage; without one, kernels run as they prefer. */
  readonly selector: VariantSelector | undefined;
  private readonly buffers = new Map<ParameterStore, GPUBuffer>();
  private destroyed = false;

  constructor(device: Device, selector?: VariantSelector) {
    this.device = device;
    this.selector = selector;
  }

  /**
   * The buffer of a store; made at its first use, when it holds what is constant of its initial values, and zeros.
   * @throws DisposedError after `destroy`
   * @throws LimitError where the adapter has no buffer as large as the store
   */
  buffer(store: ParameterStore): GPUBuffer {
    this.check();
    let buffer = this.buffers.get(store);
    if (buffer === undefined) {
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
      const made = this.device.noted(
        () => this.device.createBuffer({ label: store.name, size: storeBytes(store), usage }),
        () => {
          // There was no memory for it; another attempt makes another one.
          this.buffers.delete(store);
          this.device.freeBuffer(made);
        },
      );
      buffer = made;
      this.buffers.set(store, buffer);
      for (const { tensor, initial } of store.entries.values()) {
        if (initial.kind === 'constant' && initial.value !== 0)
          this.write(tensor, new Float32Array(tensor.length).fill(initial.value));
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

  /**
   * Writes a stored tensor's values, in the order of its shape. They are copied at the call.
   * @throws ShapeError where there are more or fewer values than elements, or where they are no floats
   * @throws DisposedError after `destroy`
   */
  write(tensor: Tensor, values: HostValues): void {
    const { store, offset } = stored(tensor);
    const words = hostValues(values, 'f32', tensor.length, (why) => {
      throw new ShapeError(`${describe(tensor)} ${why}`);
    });
    const buffer = this.buffer(store);
    this.device.noted(() => this.device.gpu.queue.writeBuffer(buffer, BYTES * offset, words));
  }

  /** Reads a stored tensor. Slow, for checkpoints and tests. @throws DisposedError after `destroy` */
  async read(tensor: Tensor): Promise<Float32Array> {
    const { store, offset } = stored(tensor);
    const bytes = await readBuffer(this.device, this.buffer(store), BYTES * offset, BYTES * tensor.length).catch(
      (error: unknown) => {
        this.check();
        throw error;
      },
    );
    return new Float32Array(bytes);
  }

  /** @internal @throws DisposedError after `destroy` */
  check(): void {
    if (this.destroyed)
      throw new DisposedError(
        'the storage was destroyed, and its tensors with it. Read what is needed before `destroy`, or make another storage.',
      );
  }

  /** Gives the buffers back. Nothing can be read, written or run on this storage afterwards; reads under way reject. */
  destroy(): void {
    this.destroyed = true;
    for (const buffer of this.buffers.values()) this.device.freeBuffer(buffer);
    this.buffers.clear();
  }
}

function stored(tensor: Tensor): { readonly store: ParameterStore; readonly offset: number } {
  if (tensor.origin.kind !== 'stored') throw new ShapeError(`${describe(tensor)} is not kept in a store`);
  return tensor.origin;
}
