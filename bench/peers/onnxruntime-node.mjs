/**
 * ONNX Runtime's native library on the CPU. No WebGPU: what the same processor gives to hand-tuned machine code.
 *
 *   node bench/peers/onnxruntime-node.mjs --work infer --batch 1 --size 224
 */
import { availableParallelism } from 'node:os';
import ort from 'onnxruntime-node';
import { onnxModel } from './onnx-model.mjs';
import { images } from './resnet50.mjs';
import { readOptions, serve } from './worker.mjs';

const { batch, size } = readOptions(['infer']);
const threads = availableParallelism();
const session = await ort.InferenceSession.create(onnxModel(batch, size), {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'all',
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
});
const feeds = { images: new ort.Tensor('float32', images(batch, size), [batch, 3, size, size]) };
await serve(`CPU, ${threads} threads`, async () => {
  const { logits } = await session.run(feeds);
  return { logits: logits.data };
});
