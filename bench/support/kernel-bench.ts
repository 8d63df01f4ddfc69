import { Bench } from 'tinybench';
import type { Kernel } from '../../kernels/kernel.ts';
import type { Device } from '../../src/gpu/device.ts';
import { Sequence } from '../../src/gpu/sequence.ts';

/** The problems on which a kernel is timed, by a name that says where they occur. */
export interface KernelBench<Problem> {
  readonly kernel: Kernel<Problem>;
  readonly problems: Readonly<Record<string, Problem>>;
}

/** One line of the benchmark's table. */
export interface Timing {
  readonly kernel: string;
  readonly problem: string;
  readonly variant: string;
  /** Milliseconds of one run of all its dispatches: median and, for the spread, the median absolute deviation. */
  readonly median: number;
  readonly deviation: number;
  /** GFLOP/s and GB/s by the kernel's own account of its work. */
  readonly gigaflops: number;
  readonly gigabytes: number;
}

/** A sample takes at least this long, so that the clock and the submission do not count. */
const SAMPLE_MILLISECONDS = 20;

/** Times every variant of a kernel on each of its problems, variants of one problem in turn. */
export async function timeKernel<Problem>(device: Device, { kernel, problems }: KernelBench<Problem>): Promise<Timing[]> {
  const timings: Timing[] = [];
  for (const [name, problem] of Object.entries(problems)) {
    const bench = new Bench({ time: 200, iterations: 5, warmupIterations: 1, warmupTime: 1 });
    const finish: (() => void)[] = [];
    const repeats = new Map<string, number>();
    for (const call of kernel.calls(problem, device.traits)) {
      const buffers = new Map(
        Object.entries(call.operands).map(([operand, { length }]) => [
          operand,
          device.gpu.createBuffer({ size: 4 * length, usage: GPUBufferUsage.STORAGE }),
        ]),
      );
      const sequence = await Sequence.prepare(
        device,
        call.dispatches.map((dispatch) => ({
          dispatch,
          label: call.variant,
          ranges: dispatch.operands.map((operand) => {
            const buffer = buffers.get(operand) as GPUBuffer;
            return { buffer, offset: 0, size: buffer.size };
          }),
        })),
      );
      const run = async (times: number): Promise<void> => {
        const encoder = device.gpu.createCommandEncoder();
        const pass = encoder.beginComputePass();
        for (let i = 0; i < times; i++) sequence.record(pass);
        pass.end();
        device.gpu.queue.submit([encoder.finish()]);
        await device.idle();
      };
      await run(1);
      const start = performance.now();
      await run(1);
      const times = Math.max(1, Math.ceil(SAMPLE_MILLISECONDS / Math.max(performance.now() - start, 0.01)));
      repeats.set(call.variant, times);
      bench.add(call.variant, () => run(times));
      finish.push(() => {
        sequence.destroy();
        for (const buffer of buffers.values()) buffer.destroy();
      });
    }
    await bench.run();
    const { flop, bytes } = kernel.cost(problem);
    for (const task of bench.tasks) {
      const result = task.result;
      if (!('latency' in result)) throw new Error(`${kernel.name}, ${name}, ${task.name}: ${'error' in result ? String(result.error) : result.state}`);
      const times = repeats.get(task.name) ?? 1;
      const median = result.latency.p50 / times;
      timings.push({
        kernel: kernel.name,
        problem: name,
        variant: task.name,
        median,
        deviation: result.latency.mad / times,
        gigaflops: flop / median / 1e6,
        gigabytes: bytes / median / 1e6,
      });
    }
    for (const end of finish) end();
  }
  return timings;
}
