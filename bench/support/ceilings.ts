import type { Kernel } from '../../kernels/kernel.ts';
import { fill } from '../../kernels/elementwise/fill.ts';
import { workgroupMemoryBytes } from '../../kernels/measure/measure-workgroup-memory.ts';
import type { Device } from '../../src/gpu/device.ts';
import copyBench from '../kernels/measure/measure-copy.bench.ts';
import fmaBench from '../kernels/measure/measure-fma.bench.ts';
import workgroupMemoryBench from '../kernels/measure/measure-workgroup-memory.bench.ts';
import { prepareProblem, problemsOf, type KernelBench } from './kernel-bench.ts';
import { sampleAlternating, type Contender, type SamplingOptions } from './sampling.ts';
import { median } from './statistics.ts';

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
  readonly variants: { readonly gigaflops: string; readonly gigabytes: string; readonly workgroupGigabytes: string };
}

const BUDGET = 1000;
/** Dispatches in a submission, against which a submission of one is held. */
const MANY = 1000;

/**
 * @param options of the sampling of each measuring problem: a round will do for who only needs figures of the right
 * order
 */
export async function measureCeilings(device: Device, options: Partial<SamplingOptions> = {}): Promise<Ceilings> {
  const sampling = { budget: BUDGET, ...options };
  const fma = await fastest(device, fmaBench, (problem) => fmaBench.kernel.cost(problem).flop, sampling);
  const copy = await fastest(device, copyBench, (problem) => copyBench.kernel.cost(problem).bytes, sampling);
  const workgroup = await fastest(device, workgroupMemoryBench, workgroupMemoryBytes, sampling);
  const { submitAndWait, dispatch } = await measureLaunches(device, sampling);
  return {
    gigaflops: fma.rate,
    gigabytes: copy.rate,
    bufferCopyGigabytes: await measureBufferCopy(device, sampling),
    workgroupGigabytes: workgroup.rate,
    submitAndWait,
    dispatch,
    variants: { gigaflops: fma.variant, gigabytes: copy.variant, workgroupGigabytes: workgroup.variant },
  };
}

/** The fastest variant over the problems of a measuring kernel, in units of 1e9 a second. */
async function fastest<Problem>(
  device: Device,
  bench: KernelBench<Problem>,
  work: (problem: Problem) => number,
  sampling: SamplingOptions,
): Promise<{ rate: number; variant: string }> {
  let best = { rate: 0, variant: '' };
  for (const problem of Object.values(problemsOf(bench, { batch: 1, size: 1 }))) {
    const kernel: Kernel<Problem> = bench.kernel;
    const prepared = await prepareProblem(device, kernel, problem, kernel.calls(problem, device.traits), {
      checked: false,
    });
    try {
      const sampled = await sampleAlternating(
        prepared.variants.map(({ variant, run }) => ({ name: variant, run })),
        sampling,
      );
      for (const { name, samples } of sampled) {
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
  const problem = { count: 1, value: 0 };
  const { variants, destroy } = await prepareProblem(device, fill, problem, fill.calls(problem, device.traits), {
    checked: false,
  });
  try {
    const [{ run }] = variants;
    const [one, many] = await sampleAlternating(
      [
        // A sample repeats its submissions one after the other, not its dispatches in one.
        {
          name: 'one dispatch',
          run: async (times) => {
            for (let i = 0; i < times; i++) await run(1);
          },
        },
        { name: 'many dispatches', run: (times) => run(times * MANY) },
      ],
      sampling,
    );
    return { submitAndWait: median(one.samples), dispatch: median(many.samples) / MANY };
  } finally {
    destroy();
  }
}

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
    const [{ samples }] = await sampleAlternating([copying], sampling);
    return (2 * size) / median(samples) / 1e6;
  } finally {
    source.destroy();
    destination.destroy();
  }
}
