/**
 * LiteRT.js, the successor of TensorFlow Lite, on its WebGPU accelerator. It is made for pages; Node gets what its
 * loader asks of one.
 *
 *   node bench/peers/litert.mjs --work infer --batch 1 --size 224
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compileFunction } from 'node:vm';
import { images, permute } from './resnet50.mjs';
import { tfliteModel } from './tflite-model.mjs';
import { installWebGPU, readOptions, serve } from './worker.mjs';

const { batch, size } = readOptions(['infer']);
const adapter = await installWebGPU();
const require = createRequire(import.meta.url);
// The loader runs its script as a worker does. The script runs in Node too, but the package declares it as a module, which it is not.
Object.assign(globalThis, {
  self: globalThis,
  importScripts: (file) => {
    const script = compileFunction(`${readFileSync(file, 'utf8')}; return ModuleFactory;`, [
      'require',
      '__dirname',
      '__filename',
    ]);
    Object.assign(globalThis, { ModuleFactory: script(require, dirname(file), file) });
  },
});
const folder = join(dirname(require.resolve('@litertjs/core/package.json')), 'wasm');
const { loadLiteRt, loadAndCompile, Tensor } = await import('@litertjs/core');
await loadLiteRt(`${folder}/litert_wasm_compat_internal.js`);
const model = await loadAndCompile(tfliteModel(batch, size), { accelerator: 'webgpu' });
const input = new Tensor(permute(images(batch, size), [batch, 3, size, size], [0, 2, 3, 1]), [batch, size, size, 3]);
await serve(adapter, async () => {
  const [output] = await model.run(input);
  const host = await output.moveTo('wasm');
  const logits = Float32Array.from(host.toTypedArray());
  host.delete();
  return { logits };
});
