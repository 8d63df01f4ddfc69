import { elementBytes } from '../../kernels/contract/element-types.ts';
import type { KernelCall, Operand } from '../../kernels/kernel.ts';
import type { Device } from '../gpu/device.ts';
import { Sequence } from '../gpu/sequence.ts';
import { deviceMilliseconds, Stopwatch } from './stopwatch.ts';

/** The bytes of an input, by name. */
export type InputBytes = (name: string, operand: Operand) => ArrayBufferView<ArrayBuffer>;

/** A kernel call with its operands on the device, ready to run any number of times. */
export interface PreparedCall {
  readonly variant: string;
  readonly dispatches: number;
  readonly buffers: Readonly<Record<string, GPUBuffer>>;
  /** Runs all its dispatches `times` times in one submission. @returns milliseconds by the device's timestamps */
  run(times: number): Promise<number | undefined>;
}

/** Puts the operands of kernel calls on the device, shared among the calls, and compiles the calls. */
export class KernelCalls {
  private readonly device: Device;
  private readonly inputs: InputBytes;
  private readonly stopwatch: Stopwatch;
  private readonly buffers = new Map<string, GPUBuffer>();
  private readonly sequences: Sequence[] = [];

  constructor(device: Device, inputs: InputBytes) {
    this.device = device;
    this.inputs = inputs;
    this.stopwatch = new Stopwatch(device);
  }

  /** @throws ShaderError or LimitError where the device refuses the call */
  async prepare(call: KernelCall): Promise<PreparedCall> {
    const buffers = Object.fromEntries(
      Object.entries(call.operands).map(([name, operand]) => [name, this.bufferOf(name, operand)]),
    );
    const sequence = await Sequence.prepare(
      this.device,
      call.dispatches.map((dispatch) => ({
        dispatch,
        label: call.variant,
        ranges: dispatch.operands.map((name) => ({ buffer: buffers[name], offset: 0, size: buffers[name].size })),
      })),
    );
    this.sequences.push(sequence);
    return {
      variant: call.variant,
      dispatches: call.dispatches.length,
      buffers,
      run: async (times) =>
        deviceMilliseconds(
          await this.stopwatch.lap((pass) => {
            for (let i = 0; i < times; i++) sequence.record(pass);
          }, call.variant),
        ),
    };
  }

  destroy(): void {
    for (const sequence of this.sequences) sequence.destroy();
    for (const buffer of this.buffers.values()) buffer.destroy();
    this.stopwatch.destroy();
  }

  private bufferOf(name: string, operand: Operand): GPUBuffer {
    const key = `${name} ${operand.type} ${operand.length}`;
    let buffer = this.buffers.get(key);
    if (buffer === undefined) {
      buffer = this.device.gpu.createBuffer({
        label: name,
        size: Math.ceil((elementBytes(operand.type) * operand.length) / 4) * 4,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
      });
      if (operand.role === 'input') this.device.gpu.queue.writeBuffer(buffer, 0, this.inputs(name, operand));
      this.buffers.set(key, buffer);
    }
    return buffer;
  }
}
