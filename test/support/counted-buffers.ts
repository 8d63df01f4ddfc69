import type { Device } from '../../src/gpu/device.ts';

/** Bytes of all buffers that are made on a device while `work` runs; what is destroyed meanwhile still counts. */
export async function bytesOfBuffers<T>({ gpu }: Device, work: () => Promise<T>): Promise<{ readonly bytes: number; readonly result: T }> {
  let bytes = 0;
  Object.defineProperty(gpu, 'createBuffer', {
    configurable: true,
    value: (descriptor: GPUBufferDescriptor) => {
      bytes += descriptor.size;
      return (Object.getPrototypeOf(gpu) as GPUDevice).createBuffer.call(gpu, descriptor);
    },
  });
  try {
    const result = await work();
    return { bytes, result };
  } finally {
    Reflect.deleteProperty(gpu, 'createBuffer');
  }
}
