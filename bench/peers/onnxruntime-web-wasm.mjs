/**
 * ONNX Runtime Web on its WebAssembly backend, with SIMD and as many threads as there are cores.
 *
 *   node bench/peers/onnxruntime-web-wasm.mjs --work infer --batch 1 --size 224
 */
import { availableParallelism } from 'node:os';
import * as ort from 'onnxruntime-web';
import { onnxModel } from './onnx-model.mjs';
import { images } from './resnet50.mjs';
import { readOptions, serve } from './worker.mjs';

const { batch, size } = readOptions(['infer']);
const threads = availableParallelism();
ort.env.wasm.numThreads = threads;
const session = await ort.InferenceSession.create(onnxModel(batch, size), {
  executionProviders: ['wasm'],
  graphOptimizationLevel: 'all',
});
const feeds = { images: new ort.Tensor('float32', images(batch, size), [batch, 3, size, size]) };
await serve(`WebAssembly, ${threads} threads`, async () => {
  const { logits } = await session.run(feeds);
  return { logits: logits.data };
});
