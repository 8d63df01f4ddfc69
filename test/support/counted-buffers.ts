import type { Device } from '../../src/gpu/device.ts';

export interface BufferCount {
  /** Bytes of all buffers made since counting began. */
  made: number;
  /** Bytes of those that are not destroyed. */
  alive: number;
}

/** Counts the buffers that are made on a device while `work` runs. */
export async function countBuffers<T>(
  { gpu }: Device,
  work: (count: BufferCount) => Promise<T>,
): Promise<BufferCount & { readonly result: T }> {
  const count: BufferCount = { made: 0, alive: 0 };
  Object.defineProperty(gpu, 'createBuffer', {
    configurable: true,
    value: (descriptor: GPUBufferDescriptor) => {
      const buffer = (Object.getPrototypeOf(gpu) as GPUDevice).createBuffer.call(gpu, descriptor);
      count.made += descriptor.size;
      count.alive += descriptor.size;
      const destroy = buffer.destroy.bind(buffer);
      Object.defineProperty(buffer, 'destroy', {
        value: () => {
          count.alive -= descriptor.size;
          destroy();
        },
      });
      return buffer;
    },
  });
  try {
    return { result: await work(count), ...count };
  } finally {
    Reflect.deleteProperty(gpu, 'createBuffer');
  }
}
