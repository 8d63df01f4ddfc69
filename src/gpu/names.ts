/**
 * The names of WebGPU that this package's declarations use, so that they hold without `lib.dom` and `@webgpu/types`,
 * also where `skipLibCheck` is off. Interfaces of one name merge: TypeScript 6's DOM, or `@webgpu/types` with an older
 * one, brings the members. The package itself can bring neither, since the two contradict each other.
 */
/* eslint-disable @typescript-eslint/no-empty-object-type */
declare global {
  interface GPUAdapter {}
  interface GPUAdapterInfo {}
  interface GPUBindGroup {}
  interface GPUBuffer {}
  interface GPUBufferDescriptor {}
  interface GPUCommandEncoder {}
  interface GPUComputePassEncoder {}
  interface GPUComputePipeline {}
  interface GPUDevice {}
  interface AbortSignal {}
  interface Blob {}
  interface Worker {}
}
export {};
