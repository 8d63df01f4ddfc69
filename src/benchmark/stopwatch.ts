import type { Device } from '../gpu/device.ts';

/** One submission of repeated work, by both clocks. */
export interface Lap {
  /** Milliseconds of `performance.now()`: before the submission, and when the host knew that the work was done. */
  readonly hostStart: number;
  readonly hostEnd: number;
  /** Nanoseconds on the device's clock at the beginning and the end of the pass, where it has timestamps. */
  readonly deviceStart?: bigint;
  readonly deviceEnd?: bigint;
}

/** Milliseconds between a lap's timestamps; undefined where the device has none. */
export const deviceMilliseconds = ({ deviceStart, deviceEnd }: Lap): number | undefined =>
  deviceStart === undefined || deviceEnd === undefined ? undefined : Number(deviceEnd - deviceStart) / 1e6;

/** Bytes of two timestamps. */
const SIZE = 16;

/**
 * Times compute passes by the device's timestamps, and by the host's clock. It keeps its query set and buffers from one
 * pass to the next, so that a lap allocates nothing.
 */
export class Stopwatch {
  private readonly device: Device;
  private readonly queries: GPUQuerySet | undefined;
  private readonly resolved: GPUBuffer | undefined;
  private readonly staging: GPUBuffer | undefined;
  private divisor = 0n;

  constructor(device: Device) {
    this.device = device;
    if (!device.gpu.features.has('timestamp-query')) return;
    this.queries = device.gpu.createQuerySet({ label: 'benchmark', type: 'timestamp', count: 2 });
    this.resolved = device.createBuffer({
      label: 'timestamps',
      size: SIZE,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    this.staging = device.createBuffer({
      label: 'timestamps to read',
      size: SIZE,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
  }

  /** Whether laps have timestamps. */
  get hasTimestamps(): boolean {
    return this.queries !== undefined;
  }

  /**
   * The step of the device's clock in nanoseconds, as far as it was seen: all timestamps so far are multiples of it.
   * Browsers round it (65,536 ns in Chromium). 0 where there were none.
   */
  get quantum(): number {
    return Number(this.divisor);
  }

  /** Submits one compute pass, and waits until it is done. */
  async lap(record: (pass: GPUComputePassEncoder) => void, label = 'benchmark'): Promise<Lap> {
    const { gpu } = this.device;
    const { queries: querySet, resolved, staging } = this;
    const hostStart = performance.now();
    const submit = (timestampWrites?: GPUComputePassTimestampWrites): void => {
      const encoder = gpu.createCommandEncoder({ label });
      const pass = encoder.beginComputePass({ label, ...(timestampWrites && { timestampWrites }) });
      record(pass);
      pass.end();
      if (querySet !== undefined && resolved !== undefined && staging !== undefined) {
        encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
        encoder.copyBufferToBuffer(resolved, 0, staging, 0, SIZE);
      }
      gpu.queue.submit([encoder.finish({ label })]);
    };
    if (querySet === undefined || staging === undefined) {
      await this.device.awaited(() => {
        submit();
        return gpu.queue.onSubmittedWorkDone();
      });
      this.device.check();
      return { hostStart, hostEnd: performance.now() };
    }
    await this.device.awaited(() => {
      submit({ querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 });
      return staging.mapAsync(GPUMapMode.READ);
    });
    const hostEnd = performance.now();
    const [deviceStart, deviceEnd] = new BigInt64Array(staging.getMappedRange().slice(0));
    staging.unmap();
    this.device.check();
    for (const time of [deviceStart, deviceEnd]) this.divisor = greatestCommonDivisor(this.divisor, time);
    return { hostStart, hostEnd, deviceStart, deviceEnd };
  }

  destroy(): void {
    this.queries?.destroy();
    for (const buffer of [this.resolved, this.staging]) if (buffer !== undefined) this.device.freeBuffer(buffer);
  }
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}
