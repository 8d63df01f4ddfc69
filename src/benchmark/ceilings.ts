import { fill } from '../../kernels/elementwise/fill.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { measureCopy, type MeasureCopyProblem } from '../../kernels/measure/measure-copy.ts';
import { measureFma, type MeasureFmaProblem } from '../../kernels/measure/measure-fma.ts';
import {
  measureWorkgroupMemory,
  workgroupMemoryBytes,
  type MeasureWorkgroupMemoryProblem,
} from '../../kernels/measure/measure-workgroup-memory.ts';
import type { Device } from '../gpu/device.ts';
import { KernelCalls } from './kernel-calls.ts';
import { sampleAlternating, type Contender, type SamplingOptions } from './sampling.ts';
import { median } from './statistics.ts';

/** Problems of the measuring kernels, by name. */
export const CEILING_PROBLEMS = {
  /** Two buffers of 64 MiB: more than a cache holds. */
  copy: { '64 MiB': { count: 2 ** 24 } } as Readonly<Record<string, MeasureCopyProblem>>,
  /**
   * So much arithmetic for each byte that memory does not count; numbers for a processor or a small GPU, and for each
   * invocation of a large one several.
   */
  fma: {
    '1 M numbers, 256 rounds': { count: 2 ** 20, rounds: 256 },
    '8 M numbers, 256 rounds': { count: 2 ** 23, rounds: 256 },
  } as Readonly<Record<string, MeasureFmaProblem>>,
  workgroupMemory: {
    vec4f: { tiles: 1024, width: 4, rounds: 64 },
    f32: { tiles: 1024, width: 1, rounds: 64 },
  } as Readonly<Record<string, MeasureWorkgroupMemoryProblem>>,
} as const;

/** The most that this adapter gives to WGSL, as measured by the fastest variant of each measuring kernel. */
export interface Ceilings {
  /** GFLOP/s of multiply-adds, two operations each. */
  readonly gigaflops: number;
  /** GB/s of a kernel that copies, read and written bytes together, in buffers beyond the caches. */
  readonly gigabytes: number;
  /** GB/s of copyBufferToBuffer, read and written: what the memory gives where no shader is in between. */
  readonly bufferCopyGigabytes: number;
  /** GB/s of reads of workgroup memory. */
  readonly workgroupGigabytes: number;
  /** Milliseconds from a submission of one small dispatch until the host knows that it is done. */
  readonly submitAndWait: number;
  /** Milliseconds that one more dispatch of nearly no work takes in the same pass. */
  readonly dispatch: number;
  /** Which variant reached each ceiling. */
  readonly variants: RooflineVariants & { readonly workgroupGigabytes: string };
}

/** Which variant of a measuring kernel reached a ceiling of the roofline. */
export interface RooflineVariants {
  readonly gigaflops: string;
  readonly gigabytes: string;
}

/** Two buffers of 16 MiB and 0.13 GFLOP: enough for a processor. */
const SMALL_PROBLEMS: Pick<typeof CEILING_PROBLEMS, 'fma' | 'copy'> = {
  copy: { '16 MiB': { count: 2 ** 22 } },
  fma: { '1 M numbers, 64 rounds': { count: 2 ** 20, rounds: 64 } },
};

const BUDGET = 1000;
/** Dispatches in a submission, against which a submission of one is held. */
const MANY = 1000;

/**
 * Measures the adapter's ceilings with the measuring kernels, in 10 to 30 seconds.
 * @param options of the sampling of each measuring problem: a round will do for who only needs figures of the right
 * order
 */
export async function measureCeilings(device: Device, options: Partial<SamplingOptions> = {}): Promise<Ceilings> {
  const sampling = { budget: BUDGET, ...options };
  const roofline = await measureRoofline(device, sampling, CEILING_PROBLEMS);
  const { workgroupMemory } = CEILING_PROBLEMS;
  const workgroup = await fastest(device, measureWorkgroupMemory, workgroupMemory, workgroupMemoryBytes, sampling);
  return {
    ...roofline,
    bufferCopyGigabytes: await measureBufferCopy(device, sampling),
    workgroupGigabytes: workgroup.rate,
    variants: { ...roofline.variants, workgroupGigabytes: workgroup.variant },
  };
}

/** The ceilings of the roofline alone. On a software adapter by smaller problems than the bench's, to be done in seconds. */
export async function measureRoofline(
  device: Device,
  sampling: SamplingOptions,
  problems: Pick<typeof CEILING_PROBLEMS, 'fma' | 'copy'> = device.traits.kind === 'gpu'
    ? CEILING_PROBLEMS
    : SMALL_PROBLEMS,
): Promise<Omit<Ceilings, 'bufferCopyGigabytes' | 'workgroupGigabytes' | 'variants'> & { variants: RooflineVariants }> {
  const fma = await fastest(device, measureFma, problems.fma, (problem) => measureFma.cost(problem).flop, sampling);
  const copy = await fastest(
    device,
    measureCopy,
    problems.copy,
    (problem) => measureCopy.cost(problem).bytes,
    sampling,
  );
  return {
    gigaflops: fma.rate,
    gigabytes: copy.rate,
    ...(await measureLaunches(device, sampling)),
    variants: { gigaflops: fma.variant, gigabytes: copy.variant },
  };
}

/** Numbers in [-1, 1] that do not repeat every power of two: zeros would take a GPU less power. */
const numbers = (_: string, { length }: { readonly length: number }): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, (_, index) => Math.sin(index));

/** The fastest variant over the problems of a measuring kernel, in units of 1e9 a second. */
async function fastest<Problem>(
  device: Device,
  kernel: Kernel<Problem>,
  problems: Readonly<Record<string, Problem>>,
  work: (problem: Problem) => number,
  sampling: SamplingOptions,
): Promise<{ rate: number; variant: string }> {
  let best = { rate: 0, variant: '' };
  for (const problem of Object.values(problems)) {
    const prepared = new KernelCalls(device, numbers);
    try {
      const contenders: Contender[] = [];
      for (const call of kernel.calls(problem, device.traits)) {
        const { variant, run } = await prepared.prepare(call);
        // Some drivers compile when a pipeline runs first.
        await run(1);
        contenders.push({ name: variant, run });
      }
      for (const { name, samples } of await sampleAlternating(contenders, sampling)) {
        const rate = work(problem) / median(samples) / 1e6;
        if (rate > best.rate) best = { rate, variant: name };
      }
    } finally {
      prepared.destroy();
    }
  }
  return best;
}

async function measureLaunches(
  device: Device,
  sampling: SamplingOptions,
): Promise<{ submitAndWait: number; dispatch: number }> {
  const prepared = new KernelCalls(device, numbers);
  try {
    const { run } = await prepared.prepare(fill.calls({ count: 1, value: 0 }, device.traits)[0]);
    await run(1);
    const oneByOne: Contender = {
      name: 'one dispatch',
      // A sample repeats its submissions one after the other, not its dispatches in one.
      run: async (times) => {
        for (let i = 0; i < times; i++) await run(1);
      },
    };
    const [one] = await sampleAlternating([oneByOne], { ...sampling, clock: hostClock(sampling.clock) });
    const [many] = await sampleAlternating([{ name: 'many dispatches', run: (times) => run(times * MANY) }], sampling);
    return { submitAndWait: median(one.samples), dispatch: median(many.samples) / MANY };
  } finally {
    prepared.destroy();
  }
}

/** Submissions and copies have no timestamps of their own. */
const hostClock = (clock: SamplingOptions['clock']): SamplingOptions['clock'] => (clock === 'device' ? 'wall' : clock);

async function measureBufferCopy(device: Device, sampling: SamplingOptions): Promise<number> {
  const size = 2 ** 26;
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [source, destination] = [0, 1].map(() => device.gpu.createBuffer({ label: 'buffer copy', size, usage }));
  const copying: Contender = {
    name: 'copyBufferToBuffer',
    run: async (times) => {
      const encoder = device.gpu.createCommandEncoder();
      for (let i = 0; i < times; i++) encoder.copyBufferToBuffer(source, 0, destination, 0, size);
      device.gpu.queue.submit([encoder.finish()]);
      await device.idle();
    },
  };
  try {
    const [{ samples }] = await sampleAlternating([copying], { ...sampling, clock: hostClock(sampling.clock) });
    return (2 * size) / median(samples) / 1e6;
  } finally {
    source.destroy();
    destination.destroy();
  }
}
