import { LANES, overlapping, span, type TraceEvent } from '../../src/benchmark/chrome-trace.ts';

type Method = (...args: never[]) => unknown;

/**
 * Records what the host does with a device, by standing between the engine and the WebGPU calls that matter: pipelines,
 * buffers, writes, encoders, submissions, mappings. The engine knows nothing of it, and what is recorded is what
 * happened. Times in microseconds since the recorder was made.
 */
export class HostRecorder {
  readonly events: TraceEvent[] = [];
  private readonly origin = performance.now();
  private readonly restored: (() => void)[] = [];
  private compilations = 0;

  constructor(gpu: GPUDevice) {
    this.timed(gpu.queue, 'writeBuffer', 'write buffer', ([buffer, , data]) => ({
      buffer: (buffer as GPUBuffer).label,
      bytes: (data as ArrayBufferView).byteLength,
    }));
    this.timed(gpu.queue, 'submit', 'submit');
    this.timed(gpu, 'createBindGroup', 'create bind group');
    this.replaced(gpu, 'createComputePipelineAsync', (original) => async (descriptor: GPUComputePipelineDescriptor) => {
      const start = this.now();
      const pipeline = (await original(descriptor as never)) as GPUComputePipeline;
      this.events.push(
        ...overlapping(
          LANES.waits,
          `compile ${descriptor.label ?? ''}`,
          this.compilations++,
          start,
          this.now() - start,
        ),
      );
      return pipeline;
    });
    this.replaced(gpu, 'createBuffer', (original) => (descriptor: GPUBufferDescriptor) => {
      const start = this.now();
      const buffer = original(descriptor as never) as GPUBuffer;
      this.record('create buffer', start, { buffer: descriptor.label ?? '', bytes: descriptor.size });
      if ((descriptor.usage & GPUBufferUsage.MAP_READ) !== 0) this.watchReading(buffer);
      if ((descriptor.usage & GPUBufferUsage.MAP_WRITE) !== 0) this.watchWriting(buffer);
      return buffer;
    });
    // The encoder itself stays as it is: hundreds of dispatches pass through it, and each would take longer if it were
    // watched.
    this.replaced(gpu, 'createCommandEncoder', (original) => (descriptor?: GPUCommandEncoderDescriptor) => {
      const start = this.now();
      const encoder = original(descriptor as never) as GPUCommandEncoder;
      const finish = encoder.finish.bind(encoder);
      encoder.finish = (...args) => {
        const commands = finish(...args);
        this.record('record', start);
        return commands;
      };
      return encoder;
    });
  }

  now(): number {
    return (performance.now() - this.origin) * 1000;
  }

  /** Runs a phase and records it as such. */
  async phase<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const start = this.now();
    const result = await work();
    this.events.push(span(LANES.phases, name, start, this.now() - start));
    return result;
  }

  /** Puts the device back as it was. */
  end(): void {
    for (const restore of this.restored) restore();
  }

  private record(name: string, start: number, args?: TraceEvent['args']): void {
    this.events.push(span(LANES.calls, name, start, this.now() - start, args));
  }

  /** From the request to map a buffer until it is mapped the host waits; until it is unmapped, it reads. */
  private watchReading(buffer: GPUBuffer): void {
    const [mapAsync, unmap] = [buffer.mapAsync.bind(buffer), buffer.unmap.bind(buffer)];
    let mapped = 0;
    buffer.mapAsync = async (...args) => {
      const start = this.now();
      await mapAsync(...args);
      mapped = this.now();
      this.events.push(span(LANES.waits, 'wait', start, mapped - start));
      return undefined;
    };
    buffer.unmap = () => {
      unmap();
      this.record('read back', mapped, { bytes: buffer.size });
      return undefined;
    };
  }

  /** From the look into a mapped buffer until it is unmapped the host writes. */
  private watchWriting(buffer: GPUBuffer): void {
    const [getMappedRange, unmap] = [buffer.getMappedRange.bind(buffer), buffer.unmap.bind(buffer)];
    let start = 0;
    buffer.getMappedRange = (...args) => {
      start = this.now();
      return getMappedRange(...args);
    };
    buffer.unmap = () => {
      unmap();
      this.record('write staging', start, { buffer: buffer.label, bytes: buffer.size });
      return undefined;
    };
  }

  private timed<Target extends object>(
    target: Target,
    name: keyof Target & string,
    label: string,
    describe?: (args: unknown[]) => TraceEvent['args'],
  ): void {
    this.replaced(target, name, (original) => (...args: never[]) => {
      const start = this.now();
      const result = original(...args);
      this.record(label, start, describe?.(args));
      return result;
    });
  }

  /** An own property hides the prototype's method; deleting it restores the method. */
  private replaced<Target extends object>(
    target: Target,
    name: keyof Target & string,
    replacement: (original: Method) => Method,
  ): void {
    const original = (target[name] as Method).bind(target) as Method;
    Object.defineProperty(target, name, { value: replacement(original), configurable: true });
    this.restored.push(() => void Reflect.deleteProperty(target, name));
  }
}
