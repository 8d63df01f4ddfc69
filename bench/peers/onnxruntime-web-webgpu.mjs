/**
 * ONNX Runtime Web on its WebGPU backend: the model given as NCHW, which it turns to the NHWC that it prefers when it
 * loads it.
 *
 *   node bench/peers/onnxruntime-web-webgpu.mjs --work infer --batch 1 --size 224
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { onnxModel } from './onnx-model.mjs';
import { images } from './resnet50.mjs';
import { installWebGPU, readOptions, serve } from './worker.mjs';

const { batch, size } = readOptions(['infer']);
const adapter = await installWebGPU();
acceptSharedMemory();

// The package offers Node its build without WebGPU; the one with it is taken by its file.
const folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-web'));
const ort = await import(join(folder, 'ort.all.mjs'));
// It would be fetched by its address, which Node cannot do of a file.
ort.env.wasm.wasmBinary = readFileSync(join(folder, 'ort-wasm-simd-threaded.jsep.wasm'));
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(onnxModel(batch, size), {
  executionProviders: ['webgpu'],
  graphOptimizationLevel: 'all',
});
const feeds = { images: new ort.Tensor('float32', images(batch, size), [batch, 3, size, size]) };
await serve(adapter, async () => {
  const { logits } = await session.run(feeds);
  return { logits: await logits.getData() };
});

/**
 * ONNX Runtime uploads from the memory that its threads share, which Dawn's Node binding refuses: such a source is
 * copied.
 */
function acceptSharedMemory() {
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, bufferOffset, data, dataOffset, dataSize) {
    const bytes = data instanceof SharedArrayBuffer ? new Uint8Array(data) : data;
    if (!(bytes.buffer instanceof SharedArrayBuffer))
      return writeBuffer.call(this, buffer, bufferOffset, data, dataOffset ?? 0, dataSize);
    const unit = data.BYTES_PER_ELEMENT ?? 1;
    const start = bytes.byteOffset + (dataOffset ?? 0) * unit;
    const end = dataSize === undefined ? bytes.byteOffset + bytes.byteLength : start + dataSize * unit;
    // A copy of a view of shared memory is not shared.
    return writeBuffer.call(
      this,
      buffer,
      bufferOffset,
      Uint8Array.from(new Uint8Array(bytes.buffer, start, end - start)),
    );
  };
}
