// A WGSL file on a device: compiled, bound, ready to be dispatched any number of times.
import type { Device } from '../../gpu/device.ts';
import { LimitError, ShaderError } from '../../gpu/errors.ts';
import { explainMessages } from '../../gpu/compile-pipeline.ts';
import { readBuffer } from '../../gpu/run-kernel.ts';
import { BenchmarkError } from './error.ts';
import { evaluate } from './expression.ts';
import { readInterface, type OverrideValues, type WgslBinding, type WgslInterface } from './interface.ts';
import { bufferBytes, bufferLength, decode, uniformBytes, type BufferContent, type UniformContent } from './values.ts';

/** A WGSL file, and how it is launched. */
export interface WgslSource {
  /** Its name, for tables and errors. */
  readonly name: string;
  readonly code: string;
  /** By default the only compute entry point. */
  readonly entryPoint?: string;
  /** Workgroups in x, y and z: numbers, or quotients such as '1024/TILE', which are rounded up. */
  readonly workgroups: readonly (number | string)[];
}

/** What is bound, by the names of the bindings. */
export interface WgslValues {
  readonly buffers: Readonly<Record<string, BufferContent>>;
  readonly uniforms: Readonly<Record<string, UniformContent>>;
}

/** Numbers of a binding, before or after a dispatch; of a buffer with several types its bytes as u32. */
export type Numbers = Readonly<Record<string, Float32Array | Int32Array | Uint32Array>>;

export class PreparedKernel {
  readonly label: string;
  readonly declared: WgslInterface;
  readonly workgroups: readonly [number, number, number];
  /** Bytes of all bound buffers together. */
  readonly boundBytes: number;
  private readonly device: Device;
  private readonly pipeline: GPUComputePipeline;
  private readonly groups: readonly (GPUBindGroup | undefined)[];
  private readonly buffers: readonly {
    readonly binding: WgslBinding;
    readonly buffer: GPUBuffer;
    readonly bytes: Uint8Array<ArrayBuffer>;
  }[];

  private constructor(
    parts: Pick<PreparedKernel, 'label' | 'declared' | 'workgroups'> & {
      device: Device;
      pipeline: GPUComputePipeline;
      groups: PreparedKernel['groups'];
      buffers: PreparedKernel['buffers'];
    },
  ) {
    this.label = parts.label;
    this.declared = parts.declared;
    this.workgroups = parts.workgroups;
    this.device = parts.device;
    this.pipeline = parts.pipeline;
    this.groups = parts.groups;
    this.buffers = parts.buffers;
    this.boundBytes = parts.buffers.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /**
   * @throws ShaderError with line and column where the file does not compile
   * @throws BenchmarkError where values do not fit what it declares
   * @throws LimitError where the adapter has no room for a buffer or the grid
   */
  static async create(
    device: Device,
    source: WgslSource,
    values: WgslValues,
    overrides: OverrideValues,
  ): Promise<PreparedKernel> {
    const { name: file, code } = source;
    const { gpu } = device;
    const module = await compiledModule(device, file, code);
    const declared = await readInterface(file, code, source.entryPoint, overrides);
    const { entryPoint, bindings } = declared;
    const label = [`${file}:${entryPoint}`, ...Object.entries(overrides).map((pair) => pair.join('='))].join(' ');
    const workgroups = gridOf(device, source, overrides);
    const contents = bindings.map((binding) => {
      const { name, usage, fixedBytes } = binding;
      const content = values.buffers[name];
      checkSize(device, file, binding, usage === 'uniform' ? fixedBytes : bufferLength(binding, content));
      return {
        binding,
        bytes:
          usage === 'uniform' && content === undefined
            ? uniformBytes(file, binding, values.uniforms[name])
            : bufferBytes(file, binding, content),
      };
    });
    const layouts = groupLayouts(gpu, label, bindings);
    const pipeline = await compiledPipeline(device, {
      label,
      file,
      code,
      module,
      entryPoint,
      layouts,
      declared,
      overrides,
    });
    const buffers: { binding: WgslBinding; buffer: GPUBuffer; bytes: Uint8Array<ArrayBuffer> }[] = [];
    const { result: groups, failure } = device.scoped(() => {
      for (const { binding, bytes } of contents) {
        const kind = binding.usage === 'uniform' ? GPUBufferUsage.UNIFORM : GPUBufferUsage.STORAGE;
        const buffer = device.createBuffer({
          label: binding.name,
          size: bytes.length,
          usage: kind | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
        });
        buffers.push({ binding, buffer, bytes });
        gpu.queue.writeBuffer(buffer, 0, bytes);
      }
      return layouts.map((layout, group) =>
        gpu.createBindGroup({
          label,
          layout,
          entries: buffers
            .filter(({ binding }) => binding.group === group)
            .map(({ binding, buffer }) => ({ binding: binding.binding, resource: { buffer } })),
        }),
      );
    });
    const error = await device.wait(failure);
    const kernel = new PreparedKernel({ label, declared, workgroups, device, pipeline, groups, buffers });
    if (error === undefined) return kernel;
    kernel.destroy();
    throw error;
  }

  /** Bytes of a binding's buffer. */
  bytesOf(name: string): number {
    return this.buffers.find(({ binding }) => binding.name === name)?.bytes.length ?? 0;
  }

  /** Records dispatches, one after the other. */
  record(pass: GPUComputePassEncoder, times: number): void {
    pass.setPipeline(this.pipeline);
    this.groups.forEach((group, index) => pass.setBindGroup(index, group));
    for (let i = 0; i < times; i++) pass.dispatchWorkgroups(...this.workgroups);
  }

  /** The numbers that were bound at first. */
  get inputs(): Numbers {
    return Object.fromEntries(
      this.buffers.map(({ binding, bytes }) => [binding.name, numbersOf(binding, bytes.buffer)]),
    );
  }

  /** What is in the buffers that the kernel may write. */
  async outputs(): Promise<Numbers> {
    const written = this.buffers.filter(({ binding }) => binding.usage === 'read_write');
    const results: Record<string, Float32Array | Int32Array | Uint32Array> = {};
    for (const { binding, buffer } of written)
      results[binding.name] = numbersOf(binding, await readBuffer(this.device, buffer));
    return results;
  }

  destroy(): void {
    for (const { buffer } of this.buffers) this.device.freeBuffer(buffer);
  }
}

const numbersOf = ({ scalar }: WgslBinding, bytes: ArrayBuffer): Float32Array | Int32Array | Uint32Array =>
  decode(scalar ?? 'u32', bytes);

async function compiledModule(device: Device, file: string, code: string): Promise<GPUShaderModule> {
  const { result: module, failure } = device.scoped(() => device.gpu.createShaderModule({ label: file, code }));
  const [{ messages }, error] = await device.wait(Promise.all([module.getCompilationInfo(), failure]));
  const errors = messages.filter(({ type }) => type === 'error');
  if (errors.length === 0 && error === undefined) return module;
  throw new ShaderError(`${file} does not compile.\n${explainMessages(code, errors) || error?.message}`);
}

async function compiledPipeline(
  device: Device,
  {
    label,
    file,
    code,
    module,
    entryPoint,
    layouts,
    declared,
    overrides,
  }: {
    label: string;
    file: string;
    code: string;
    module: GPUShaderModule;
    entryPoint: string;
    layouts: readonly GPUBindGroupLayout[];
    declared: WgslInterface;
    overrides: OverrideValues;
  },
): Promise<GPUComputePipeline> {
  const constants = Object.fromEntries(
    Object.entries(overrides).map(([name, value]) => [
      String(declared.overrides.find((one) => one.name === name)?.id ?? name),
      Number(value),
    ]),
  );
  try {
    return await device.awaited(() =>
      device.gpu.createComputePipelineAsync({
        label,
        layout: device.gpu.createPipelineLayout({ label, bindGroupLayouts: [...layouts] }),
        compute: { module, entryPoint, constants },
      }),
    );
  } catch (cause) {
    const { messages } = await module.getCompilationInfo();
    throw new ShaderError(
      `${label} makes no pipeline.\n${
        explainMessages(
          code,
          messages.filter(({ type }) => type === 'error'),
        ) || `${file}: ${cause instanceof Error ? cause.message : String(cause)}`
      }`,
      { cause },
    );
  }
}

/** A layout for each group up to the last that is used. */
function groupLayouts(gpu: GPUDevice, label: string, bindings: readonly WgslBinding[]): GPUBindGroupLayout[] {
  const types = { uniform: 'uniform', read: 'read-only-storage', read_write: 'storage' } as const;
  const count = Math.max(0, ...bindings.map(({ group }) => group + 1));
  return Array.from({ length: count }, (_, group) =>
    gpu.createBindGroupLayout({
      label,
      entries: bindings
        .filter((binding) => binding.group === group)
        .map(({ binding, usage }) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type: types[usage] } })),
    }),
  );
}

function gridOf(
  { gpu }: Device,
  { name: file, workgroups }: WgslSource,
  overrides: OverrideValues,
): [number, number, number] {
  if (workgroups.length < 1 || workgroups.length > 3)
    throw new BenchmarkError(`${file}: --workgroups takes one to three numbers, and ${workgroups.length} are given`);
  const numbers = Object.fromEntries(Object.entries(overrides).map(([name, value]) => [name, Number(value)]));
  const [x, y = 1, z = 1] = workgroups.map((count) => evaluate(count, numbers, `${file}: --workgroups`));
  const most = gpu.limits.maxComputeWorkgroupsPerDimension;
  if (Math.max(x, y, z) > most)
    throw new LimitError(
      `${file}: --workgroups ${x},${y},${z}: this adapter allows ${most} in a dimension (maxComputeWorkgroupsPerDimension). Use two dimensions, or larger workgroups.`,
    );
  return [x, y, z];
}

function checkSize({ gpu: { limits } }: Device, file: string, { name, usage }: WgslBinding, bytes: number): void {
  const limit = usage === 'uniform' ? 'maxUniformBufferBindingSize' : 'maxStorageBufferBindingSize';
  const most = Math.min(limits[limit], limits.maxBufferSize);
  if (bytes > most)
    throw new LimitError(
      `${file}: binding ${name} has ${bytes} bytes, and this adapter binds at most ${most} (${limit}). Give --buffer ${name} fewer elements.`,
    );
}
