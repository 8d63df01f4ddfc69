/**
 * Mesa's lavapipe compiles a pipeline when it is first dispatched, and one after the other: a cold first step of ResNet50
 * took 30 s, on one core of two. A dispatch of no workgroups makes it compile without running anything, and each device
 * compiles in a thread of its own. What one device has compiled, the others load from Mesa's cache on disk in
 * milliseconds. So while a pipeline takes long, further devices compile the next ones.
 */
import { availableParallelism } from 'node:os';
import type { Dispatch } from '../../../kernels/contract/dispatch.ts';
import { compilePipeline } from '../../gpu/compile-pipeline.ts';
import type { FinishPipelines, MadePipeline } from '../../gpu/pipelines.ts';
import type { Wait } from '../../gpu/wait.ts';

const DEFERRING = /llvmpipe|lavapipe/i;

/** Milliseconds after which a pipeline is being compiled, and not loaded from the cache. */
const SLOW = 100;

/** More devices than this share memory bandwidth and the driver's locks. */
const MOST_DEVICES = 8;

/** Bytes between the places of operands: the largest `minStorageBufferOffsetAlignment` that WebGPU allows. */
const ALIGNMENT = 256;

/** Whether a driver compiles at the first dispatch, and keeps what it has compiled on disk. */
export const compilesAtFirstDispatch = (
  { description, device }: GPUAdapterInfo,
  environment: NodeJS.ProcessEnv = process.env,
): boolean =>
  DEFERRING.test(`${description} ${device}`) &&
  !/^(1|true|yes)$/i.test(environment.MESA_SHADER_CACHE_DISABLE ?? environment.MESA_GLSL_CACHE_DISABLE ?? '');

/**
 * Finishes pipelines in parallel.
 * @param openAnother opens another GPUDevice of the same adapter; where it fails, or what it opens, the first device
 *   compiles the rest
 * @param devices how many compile at once, the first one included, when a pipeline takes more than `slow` milliseconds
 */
export const finishInParallel =
  (
    openAnother: () => Promise<GPUDevice>,
    wait: Wait,
    { devices = Math.min(availableParallelism(), MOST_DEVICES), slow = SLOW } = {},
  ): FinishPipelines =>
  async (gpu, made, onProgress) => {
    scratchOf(gpu);
    const queue = [...made];
    let done = 0;
    const compileNext = async (
      on: GPUDevice,
      pipelineOf: (next: MadePipeline) => Promise<GPUComputePipeline>,
      whenSlow?: () => void,
    ): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const pipeline = await pipelineOf(next);
        const timer = setTimeout(() => whenSlow?.(), slow);
        await dispatchNothing(on, pipeline, next.dispatch, wait).finally(() => clearTimeout(timer));
        onProgress?.(++done, made.length);
      }
    };
    const help = async (): Promise<void> => {
      const another = await openAnother().catch(() => undefined);
      if (another === undefined) return;
      await compileNext(another, ({ dispatch }) => compilePipeline(another, dispatch)).catch(() => undefined);
      another.destroy();
    };
    const helping: Promise<void>[] = [];
    const whenSlow = (): void => {
      while (helping.length < Math.min(devices, made.length) - 1) helping.push(help());
    };
    try {
      await compileNext(gpu, ({ pipeline }) => pipeline, whenSlow);
    } finally {
      await wait(Promise.all(helping));
    }
  };

/** What dispatches of no workgroups bind. */
interface Scratch {
  readonly storage: GPUBuffer;
  readonly uniforms: GPUBuffer;
  readonly workgroups: GPUBuffer;
}

/** Made once for a device, which takes them along when it is destroyed. */
const scratches = new WeakMap<GPUDevice, Scratch>();

function scratchOf(gpu: GPUDevice): Scratch {
  let scratch = scratches.get(gpu);
  if (scratch === undefined) {
    const { maxStorageBuffersPerShaderStage, maxUniformBufferBindingSize } = gpu.limits;
    const buffer = (size: number, usage: GPUBufferUsageFlags): GPUBuffer =>
      gpu.createBuffer({ label: 'nothing', size, usage });
    scratch = {
      storage: buffer(ALIGNMENT * maxStorageBuffersPerShaderStage, GPUBufferUsage.STORAGE),
      uniforms: buffer(maxUniformBufferBindingSize, GPUBufferUsage.UNIFORM),
      workgroups: buffer(12, GPUBufferUsage.INDIRECT),
    };
    scratches.set(gpu, scratch);
  }
  return scratch;
}

/** Dispatches no workgroups, with operands of the least size. Indirectly, since Dawn warns of a literal zero. */
async function dispatchNothing(
  gpu: GPUDevice,
  pipeline: GPUComputePipeline,
  { operands, parameters = [] }: Dispatch,
  wait: Wait,
): Promise<void> {
  gpu.pushErrorScope('validation');
  const { storage, uniforms, workgroups } = scratchOf(gpu);
  const entries: GPUBindGroupEntry[] = operands.map((_, index) => ({
    binding: index + 1,
    resource: { buffer: storage, offset: ALIGNMENT * index, size: ALIGNMENT },
  }));
  if (parameters.length > 0) entries.push({ binding: 0, resource: { buffer: uniforms } });
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroupsIndirect(workgroups, 0);
  pass.end();
  gpu.queue.submit([encoder.finish()]);
  await wait(Promise.all([gpu.queue.onSubmittedWorkDone(), gpu.popErrorScope()]));
}
