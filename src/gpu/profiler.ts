import type { Device } from './device.ts';
import type { Sequence } from './sequence.ts';

/** When one dispatch ran: microseconds on the device's clock, from the first dispatch of the run. */
export interface Span {
  readonly label: string;
  readonly start: number;
  readonly duration: number;
}

/** Dispatches timed with one query set; WebGPU allows 4096 queries in a set. */
const SPANS_PER_SET = 2048;

/**
 * Times every dispatch of a sequence by itself, each in a pass of its own: by timestamps, or on the host where there
 * are none.
 */
export class Profiler {
  private readonly device: Device;

  constructor(device: Device) {
    this.device = device;
  }

  /** @param start the first command that is timed; those before it are left out */
  async run(sequence: Sequence, start = 0): Promise<readonly Span[]> {
    return this.device.gpu.features.has('timestamp-query')
      ? this.byTimestamps(sequence, start)
      : this.byHost(sequence, start);
  }

  private async byTimestamps(sequence: Sequence, start: number): Promise<readonly Span[]> {
    const { gpu } = this.device;
    const times: bigint[] = [];
    for (let first = start; first < sequence.commands.length; first += SPANS_PER_SET) {
      const count = Math.min(SPANS_PER_SET, sequence.commands.length - first);
      const size = 16 * count;
      const made: { destroy(): undefined }[] = [];
      try {
        const staging = gpu.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
        made.push(staging);
        await this.device.awaited(() => {
          const querySet = gpu.createQuerySet({ type: 'timestamp', count: 2 * count });
          const resolved = gpu.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
          made.push(querySet, resolved);
          const encoder = gpu.createCommandEncoder();
          for (let i = 0; i < count; i++) {
            const pass = encoder.beginComputePass({
              timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
            });
            sequence.record(pass, first + i, first + i + 1);
            pass.end();
          }
          encoder.resolveQuerySet(querySet, 0, 2 * count, resolved, 0);
          encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
          gpu.queue.submit([encoder.finish()]);
          return staging.mapAsync(GPUMapMode.READ);
        });
        for (const time of new BigInt64Array(staging.getMappedRange())) times.push(time);
      } finally {
        for (const object of made) object.destroy();
      }
    }
    this.device.check();
    const origin = times[0] ?? 0n;
    return sequence.commands.slice(start).map(({ label }, i) => ({
      label,
      start: Number(times[2 * i] - origin) / 1000,
      duration: Number(times[2 * i + 1] - times[2 * i]) / 1000,
    }));
  }

  private async byHost(sequence: Sequence, start: number): Promise<readonly Span[]> {
    const spans: Span[] = [];
    await this.device.idle();
    const origin = performance.now();
    for (const [i, { label }] of sequence.commands.entries()) {
      if (i < start) continue;
      const begin = performance.now();
      sequence.submit(i, i + 1);
      await this.device.idle();
      spans.push({ label, start: (begin - origin) * 1000, duration: (performance.now() - begin) * 1000 });
    }
    return spans;
  }
}
