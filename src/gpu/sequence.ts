import type { Device } from './device.ts';
import type { Dispatch, Word } from '../../kernels/contract/dispatch.ts';
import { LimitError } from './errors.ts';

/** A part of a buffer, in bytes. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/**
 * A dispatch with a place for each of its operands: of all of the operand, also where the dispatch has a window onto
 * it.
 */
export interface BoundDispatch {
  readonly dispatch: Dispatch;
  readonly ranges: readonly BufferRange[];
  /** What the profiler calls it. */
  readonly label: string;
}

interface Command {
  readonly pipeline: GPUComputePipeline;
  readonly bindings: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
  readonly label: string;
}

/**
 * A fixed list of dispatches, ready to be encoded any number of times: pipelines compiled, bind groups made, the
 * uniform blocks of all of them in one buffer. Encoding allocates nothing on the device.
 */
export class Sequence {
  readonly commands: readonly Command[];
  private readonly device: Device;
  private readonly uniforms: GPUBuffer | undefined;

  private constructor(device: Device, commands: readonly Command[], uniforms: GPUBuffer | undefined) {
    this.device = device;
    this.commands = commands;
    this.uniforms = uniforms;
  }

  static async prepare(
    device: Device,
    list: readonly BoundDispatch[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<Sequence> {
    for (const bound of list) checkLimits(device, bound);
    const pipelines = await device.pipelines.getAll(
      list.map((bound) => bound.dispatch),
      onProgress,
    );

    const { offsets, size } = uniformLayout(
      list.map(({ dispatch }) => dispatch),
      device.gpu.limits.minUniformBufferOffsetAlignment,
    );
    let uniforms: GPUBuffer | undefined;
    if (size > 0) {
      const words = new DataView(new ArrayBuffer(size));
      list.forEach(({ dispatch }, index) => writeWords(words, offsets[index], dispatch.parameters ?? []));
      const buffer = device.noted(() =>
        device.createBuffer({ label: 'uniforms', size, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST }),
      );
      uniforms = buffer;
      device.noted(() => device.gpu.queue.writeBuffer(buffer, 0, words.buffer));
    }

    const bind = (): Command[] =>
      list.map(({ dispatch, ranges, label }, index): Command => {
        const entries: GPUBindGroupEntry[] = [];
        const bytes = uniformBytes(dispatch);
        if (bytes > 0 && uniforms !== undefined) {
          entries.push({ binding: 0, resource: { buffer: uniforms, offset: offsets[index], size: bytes } });
        }
        ranges.forEach((range, operand) =>
          entries.push({ binding: operand + 1, resource: windowOf(range, dispatch, operand) }),
        );
        const bindings = device.gpu.createBindGroup({ label, layout: pipelines[index].getBindGroupLayout(0), entries });
        return { pipeline: pipelines[index], bindings, workgroups: dispatch.workgroups, label };
      });
    const { result, failure } = device.scoped(bind);
    const sequence = new Sequence(device, result, uniforms);
    const error = await device.wait(failure).catch((reason: unknown) => reason);
    if (error === undefined) return sequence;
    sequence.destroy();
    throw error;
  }

  /** Records commands [first, last) into an open pass. */
  record(pass: GPUComputePassEncoder, first = 0, last = this.commands.length): void {
    for (let index = first; index < last; index++) {
      const { pipeline, bindings, workgroups } = this.commands[index];
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindings);
      pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    }
  }

  /** Submits commands [first, last) as a pass of their own; an error is thrown by the device's next check. */
  submit(first = 0, last = this.commands.length): void {
    const { gpu } = this.device;
    this.device.noted(() => {
      const encoder = gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      this.record(pass, first, last);
      pass.end();
      gpu.queue.submit([encoder.finish()]);
    });
  }

  destroy(): void {
    if (this.uniforms !== undefined) this.device.freeBuffer(this.uniforms);
  }
}

/** The part of an operand's place that a dispatch binds. */
function windowOf(range: BufferRange, { operands, windows }: Dispatch, operand: number): BufferRange {
  const window = windows?.[operands[operand]];
  return window === undefined
    ? range
    : { buffer: range.buffer, offset: range.offset + window.offset, size: window.size };
}

/**
 * Where the uniform block of each dispatch begins in the one buffer that holds all of them, and the size of that
 * buffer.
 */
export function uniformLayout(
  dispatches: readonly Dispatch[],
  alignment: number,
): { readonly offsets: readonly number[]; readonly size: number } {
  const offsets: number[] = [];
  let size = 0;
  for (const dispatch of dispatches) {
    offsets.push(size);
    size += Math.ceil(uniformBytes(dispatch) / alignment) * alignment;
  }
  return { offsets, size };
}

/** A uniform block's size is a multiple of 16 bytes, as the layout of WGSL structures asks where vectors are inside. */
function uniformBytes(dispatch: Dispatch): number {
  return Math.ceil((dispatch.parameters?.length ?? 0) / 4) * 16;
}

function writeWords(target: DataView, offset: number, words: readonly Word[]): void {
  words.forEach((word, index) => {
    if (typeof word === 'number') target.setInt32(offset + 4 * index, word | 0, true);
    else target.setFloat32(offset + 4 * index, word.f32, true);
  });
}

function checkLimits(device: Device, { dispatch, ranges, label }: BoundDispatch): void {
  const { maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension } = device.gpu.limits;
  ranges.forEach((range, index) => {
    const { size } = windowOf(range, dispatch, index);
    if (size > maxStorageBufferBindingSize) {
      throw new LimitError(
        `${label}: operand ${dispatch.operands[index]} has ${size} bytes, this adapter binds at most ` +
          `${maxStorageBufferBindingSize} (maxStorageBufferBindingSize). Use a smaller batch or resolution.`,
      );
    }
  });
  if (dispatch.workgroups.some((count) => count > maxComputeWorkgroupsPerDimension)) {
    throw new LimitError(
      `${label}: a grid of ${dispatch.workgroups.join(' x ')} workgroups, this adapter allows ` +
        `${maxComputeWorkgroupsPerDimension} a dimension. Use a smaller batch or resolution.`,
    );
  }
}
