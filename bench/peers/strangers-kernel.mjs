/**
 * A kernel of TensorFlow.js, recorded while it runs, timed by `sketchgrad bench` and by another stopwatch: the host's
 * clock over many dispatches of tfjs's own pipeline, with the time of fewer dispatches taken off. The kernel is written to
 * a temporary folder, which is deleted at the end.
 *
 *   npm ci --prefix bench/peers
 *   node bench/peers/strangers-kernel.mjs [--size 512] [--rounds 11] [--adapter lavapipe|swiftshader|gpu] [--own-zeros]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installWebGPU } from './worker.mjs';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '512' },
    rounds: { type: 'string', default: '11' },
    adapter: { type: 'string', default: 'lavapipe' },
    'own-zeros': { type: 'boolean', default: false },
  },
});
const size = Number(values.size);
const rounds = Number(values.rounds);
/** Dispatches of the two submissions whose difference is taken. */
const [FEW, MANY] = [2, 22];
const root = fileURLToPath(new URL('../..', import.meta.url));

const { register } = await import('tsx/esm/api');
register();
const { adapterEnvironment } = await import('../../src/platform/node/adapter.ts');
const { napUntil } = await import('../../src/platform/node/napping.ts');
const { median } = await import('../../src/benchmark/statistics.ts');
const environment = await adapterEnvironment(values.adapter);
if (environment !== null && process.env.VK_DRIVER_FILES !== environment.VK_DRIVER_FILES) {
  // The driver's loader reads the environment when the process starts.
  execFileSync(process.execPath, process.argv.slice(1), { stdio: 'inherit', env: { ...process.env, ...environment } });
  process.exit(0);
}

// Workgroup memory is zeroed by a loop, as sketchgrad's devices do it (src/platform/node/adapter.ts): left to Vulkan's
// extension, this kernel takes a third longer on SwiftShader.
const adapter = await installWebGPU(
  values['own-zeros'] ? [] : ['disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension'],
);
const recorded = record();
globalThis.document = { createElement: () => ({}), body: { appendChild() {} } };
const tf = await import('@tensorflow/tfjs');
await import('@tensorflow/tfjs-backend-webgpu');
if (!(await tf.setBackend('webgpu'))) throw new Error('tfjs: the webgpu backend did not start');
const [a, b] = [1, 2].map((seed) => tf.randomUniform([size, size], -1, 1, 'float32', seed));
await Promise.all([a.data(), b.data()]);
recorded.clear();
await tf.matMul(a, b).data();
const dispatch = recorded.last();
console.log(
  `${adapter}; tfjs ${tf.version.tfjs}, matMul ${size}x${size}x${size}, recorded: ${dispatch.label}, ${dispatch.workgroups.join(' x ')} workgroups`,
);

const folder = mkdtempSync(path.join(tmpdir(), 'strangers-kernel-'));
try {
  // Both stopwatches alternate, so that what else runs on the machine meets both.
  const [other, ours] = [[], []];
  let described;
  for (let round = 0; round < rounds; round++) {
    other.push(await wallMilliseconds(dispatch));
    if (round % Math.ceil(rounds / 3) === 0) {
      described = bench(folder, dispatch);
      ours.push(...described.kernels[0].samples);
    }
  }
  const [kernel] = described.kernels;
  // Of a dispatch: what more of them add. Other work on the machine makes all of it slower at times, and the fastest
  // samples have the least of it.
  const added = (of) => (of(other.map(({ many }) => many)) - of(other.map(({ few }) => few))) / (MANY - FEW);
  const least = (samples) => Math.min(...samples);
  const [medians, fastest] = [median, least].map((of) => ({ other: added(of), ours: of(ours) }));
  const us = (milliseconds) => `${(1000 * milliseconds).toFixed(0)} us`;
  console.log(`another stopwatch: ${us(medians.other)}, fastest ${us(fastest.other)}; ${other.length} samples`);
  console.log(
    `sketchgrad bench:  ${us(medians.ours)}, fastest ${us(fastest.ours)}; ${ours.length} samples of ${kernel.repeats} dispatches; ${(kernel.flops / medians.ours / 1e6).toFixed(2)} GFLOP/s, bound by ${kernel.bound}, roofline ${(100 * kernel.rooflineShare).toFixed(0)} %`,
  );
  console.log(
    `results ${kernel.check.passed ? 'right' : 'WRONG'}; ratio of the medians ${(medians.ours / medians.other).toFixed(3)}, of the fastest ${(fastest.ours / fastest.other).toFixed(3)}`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
process.exit(0);

/** Remembers shaders, pipelines, bind groups, what was written, and dispatches, on whichever device. */
function record() {
  const code = new WeakMap();
  const pipelines = new WeakMap();
  const groups = new WeakMap();
  const written = new WeakMap();
  const passes = new WeakMap();
  const dispatches = [];
  const hook = (prototype, name, after) => {
    const original = prototype[name];
    prototype[name] = function (...given) {
      const result = original.apply(this, given);
      after.call(this, result, ...given);
      return result;
    };
  };
  hook(GPUDevice.prototype, 'createShaderModule', (module, descriptor) => code.set(module, descriptor.code));
  hook(GPUDevice.prototype, 'createComputePipeline', function (pipeline, descriptor) {
    pipelines.set(pipeline, { device: this, descriptor });
  });
  hook(GPUDevice.prototype, 'createComputePipelineAsync', function (promise, descriptor) {
    const device = this;
    promise.then((pipeline) => pipelines.set(pipeline, { device, descriptor }));
  });
  hook(GPUDevice.prototype, 'createBindGroup', (group, descriptor) => groups.set(group, [...descriptor.entries]));
  hook(GPUQueue.prototype, 'writeBuffer', (_, buffer, offset, data) => {
    if (offset === 0)
      written.set(buffer, new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength).slice());
  });
  const state = (pass) => passes.get(pass) ?? passes.set(pass, {}).get(pass);
  hook(GPUComputePassEncoder.prototype, 'setPipeline', function (_, pipeline) {
    state(this).pipeline = pipeline;
  });
  hook(GPUComputePassEncoder.prototype, 'setBindGroup', function (_, index, group) {
    state(this).group = group;
  });
  hook(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', function (_, ...workgroups) {
    dispatches.push({ ...state(this), workgroups });
  });
  return {
    clear: () => (dispatches.length = 0),
    last() {
      const { pipeline, group, workgroups } = dispatches.at(-1);
      const { device, descriptor } = pipelines.get(pipeline);
      const source = code.get(descriptor.compute.module);
      const names = new Map(
        [...source.matchAll(/@group\(0\)\s*@binding\((\d+)\)\s*var<(\w+)[^>]*>\s*(\w+)/g)].map(
          ([, index, kind, name]) => [Number(index), { name, kind }],
        ),
      );
      const bindings = groups.get(group).map(({ binding, resource }) => ({
        ...names.get(binding),
        bytes: resource.size ?? resource.buffer.size,
        written: written.get(resource.buffer),
      }));
      return {
        device,
        pipeline,
        group,
        workgroups,
        source,
        bindings,
        entryPoint: descriptor.compute.entryPoint,
        label: descriptor.label || descriptor.compute.entryPoint,
      };
    },
  };
}

/** Milliseconds by the host's clock of a few dispatches in one submission, and of many. */
async function wallMilliseconds({ device, pipeline, group, workgroups }) {
  const run = async (times) => {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < times; i++) pass.dispatchWorkgroups(...workgroups);
    pass.end();
    device.queue.submit([encoder.finish()]);
    // Dawn polls without a pause while it waits, which takes a core from a software adapter.
    await napUntil(device.queue.onSubmittedWorkDone());
    return performance.now() - start;
  };
  await run(1);
  return { few: await run(FEW), many: await run(MANY) };
}

/** The recorded kernel by the command, with random matrices and a product in float64 as the check. */
function bench(folder, { source, bindings, workgroups, entryPoint }) {
  const at = (name) => path.join(folder, name);
  writeFileSync(at('kernel.wgsl'), source);
  const flags = bindings.flatMap(({ name, kind, bytes, written }) => {
    if (kind !== 'uniform') return ['--buffer', `${name}:f32[${bytes / 4}]`];
    writeFileSync(at('uniforms.bin'), written);
    return ['--buffer', `${name}=${at('uniforms.bin')}`];
  });
  const [result] = bindings;
  writeFileSync(
    at('check.mjs'),
    `export default ({ A, B }) => {
       const value = new Float64Array(${size * size}), error = new Float64Array(${size * size});
       for (let i = 0; i < ${size}; i++) for (let k = 0; k < ${size}; k++) for (let j = 0; j < ${size}; j++) {
         const product = A[i * ${size} + k] * B[k * ${size} + j];
         value[i * ${size} + j] += product;
         error[i * ${size} + j] += Math.abs(product) * 2 ** -24 * ${4 * Math.sqrt(size) + 2};
       }
       return { ${result.name}: { value, error } };
     };`,
  );
  const output = execFileSync(
    process.execPath,
    [
      path.join(root, 'bin/sketchgrad.mjs'),
      'bench',
      at('kernel.wgsl'),
      '--entry',
      entryPoint,
      '--workgroups',
      workgroups.join(','),
      ...flags,
      '--flops',
      `2*${size}*${size}*${size}`,
      '--check',
      at('check.mjs'),
      '--seconds',
      '2',
      '--json',
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 2 ** 26 },
  );
  return JSON.parse(output);
}
