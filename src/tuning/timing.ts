import type { KernelCall, Operand } from '../../kernels/kernel.ts';
import type { TuningProblem } from '../autodiff/variant-selector.ts';
import { float32ToFloat16Bits, narrow } from '../../kernels/contract/half.ts';
import type { Device } from '../gpu/device.ts';
import { elementBytes, type ElementType } from '../../kernels/contract/element-types.ts';
import { repeatsOfSample } from '../benchmark/repeats.ts';
import { median } from '../benchmark/statistics.ts';
import { Sequence } from '../gpu/sequence.ts';
import { RandomStream } from '../random/philox.ts';
import { sampleInputs } from './qualification.ts';

/** How variants of one problem are timed. */
export interface TimingOptions {
  /** Samples of each variant, at most. */
  readonly rounds: number;
  /** On the clock; no sample is begun after it. */
  readonly deadline: number;
  /** Milliseconds. */
  readonly clock: () => number;
}

/** Milliseconds of one run: the median of the samples and, for their spread, the median of the distances from it. */
export interface Timing {
  readonly median: number;
  readonly spread: number;
}

/** A GPU that was idle lowers its clock, and the first variant would be timed at a low clock. */
const WARM_UP_MILLISECONDS = 300;
/** With fewer samples a median says nothing. */
const FEWEST_ROUNDS = 3;
/** A variant this many times slower than the best is not sampled any further; by a single run, less is certain. */
const HOPELESS = 2;
const HOPELESS_AT_FIRST = 4;
/** Floats of random numbers with which a large input is filled again and again. */
const PATTERN = 1 << 16;

/**
 * Times variants of one problem on a device, a sample of each, alternating in both directions, so that what slows the machine
 * down slows all of them.
 * @returns one timing for each call, undefined for hopeless ones; null where the deadline came before there was enough
 */
export async function timeCalls(
  device: Device,
  tuningProblem: TuningProblem,
  calls: readonly KernelCall[],
  { rounds, deadline, clock }: TimingOptions,
): Promise<readonly (Timing | undefined)[] | null> {
  const bench = await KernelBuffers.create(device, tuningProblem, calls);
  const sequences: Sequence[] = [];
  try {
    for (const call of calls)
      sequences.push(
        await Sequence.prepare(
          device,
          dispatchesOfRun(tuningProblem, call).map((dispatch) => ({
            dispatch,
            label: call.variant,
            ranges: dispatch.operands.map(bench.range),
          })),
        ),
      );
    const time = async (sequence: Sequence, runs: number): Promise<number> => {
      const start = clock();
      device.noted(() => {
        const encoder = device.gpu.createCommandEncoder();
        const pass = encoder.beginComputePass();
        for (let run = 0; run < runs; run++) sequence.record(pass);
        pass.end();
        device.gpu.queue.submit([encoder.finish()]);
      });
      await device.idle();
      return clock() - start;
    };

    const contenders: {
      readonly index: number;
      readonly sequence: Sequence;
      runs: number;
      readonly first: number;
      readonly samples: number[];
    }[] = [];
    for (const [index, sequence] of sequences.entries()) {
      if (clock() >= deadline) return null;
      // The first run compiles, on some drivers.
      await time(sequence, 1);
      if (index === 0 && device.traits.kind === 'gpu') {
        const warm = clock() + WARM_UP_MILLISECONDS;
        while (clock() < warm) await time(sequence, 1);
      }
      const first = await time(sequence, 1);
      contenders.push({
        index,
        sequence,
        first,
        runs: 1,
        samples: [],
      });
    }
    const quickest = Math.min(...contenders.map(({ first }) => first));
    // A GPU's clock may still have been low when the first of them ran.
    const patient = device.traits.kind === 'gpu';
    let running = contenders.filter(({ first }) => patient || first <= HOPELESS_AT_FIRST * quickest);
    for (const contender of running) {
      if (clock() >= deadline) return null;
      contender.runs = await repeatsOfSample((runs) => time(contender.sequence, runs));
    }
    for (let round = 0; round < rounds; round++) {
      for (const { sequence, runs, samples } of round % 2 === 0 ? running : [...running].reverse()) {
        if (clock() >= deadline) return round < FEWEST_ROUNDS ? null : timings(calls.length, running);
        samples.push((await time(sequence, runs)) / runs);
      }
      if (patient && round === 0) continue;
      const timeOf = ({ samples }: { readonly samples: readonly number[] }): number =>
        patient ? Math.min(...samples) : median(samples);
      const best = Math.min(...running.map(timeOf));
      running = running.filter((contender) => timeOf(contender) <= HOPELESS * best);
    }
    return timings(calls.length, running);
  } finally {
    for (const sequence of sequences) sequence.destroy();
    bench.destroy();
  }
}

function timings(
  count: number,
  running: readonly { readonly index: number; readonly samples: readonly number[] }[],
): (Timing | undefined)[] {
  const result = new Array<Timing | undefined>(count).fill(undefined);
  for (const { index, samples } of running) {
    const middle = median(samples);
    result[index] = { median: middle, spread: median(samples.map((sample) => Math.abs(sample - middle))) };
  }
  return result;
}

/** What a call costs in each run of its graph. */
function dispatchesOfRun(
  { prepacked = false }: TuningProblem,
  { dispatches, prepacking = 0 }: KernelCall,
): KernelCall['dispatches'] {
  return prepacked ? dispatches.slice(prepacking) : dispatches;
}

const wholeWords = (bytes: number): number => Math.ceil(bytes / 4) * 4;

function encode(values: Float64Array, type: ElementType): Uint8Array<ArrayBuffer> {
  const elements =
    type === 'u32'
      ? Uint32Array.from(values)
      : type === 'f32'
        ? Float32Array.from(values)
        : narrow(Float32Array.from(values), float32ToFloat16Bits);
  const bytes = new Uint8Array(wholeWords(elements.byteLength));
  bytes.set(new Uint8Array(elements.buffer));
  return bytes;
}

/** The operands of a problem. Variants share operands of the same name; inputs hold typical numbers. */
class KernelBuffers {
  private readonly buffers: ReadonlyMap<string, GPUBuffer>;

  private constructor(buffers: ReadonlyMap<string, GPUBuffer>) {
    this.buffers = buffers;
  }

  static async create(
    device: Device,
    { kernel, problem }: TuningProblem,
    calls: readonly KernelCall[],
  ): Promise<KernelBuffers> {
    const operands = new Map<string, Operand>();
    for (const call of calls) {
      for (const [name, operand] of Object.entries(call.operands))
        if (operand.length > (operands.get(name)?.length ?? 0)) operands.set(name, operand);
    }
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const { result: buffers, failure } = device.scoped(
      () =>
        new Map(
          [...operands].map(([name, { type, length }]) => [
            name,
            device.gpu.createBuffer({ label: name, size: wholeWords(elementBytes(type) * length), usage }),
          ]),
        ),
    );
    const result = new KernelBuffers(buffers);
    const noRoom = await device.wait(failure);
    if (noRoom !== undefined) {
      result.destroy();
      throw new RangeError(`no room on the device for a measurement: ${noRoom.message}`);
    }
    const random = new RandomStream(0, 0);
    const pattern = Float64Array.from({ length: PATTERN }, () => 2 * random.uniform() - 1);
    let drawn = 0;
    const inputs =
      kernel.sampleInputs === undefined
        ? {}
        : sampleInputs(kernel as never, problem as never, calls[0], () => pattern[drawn++ % PATTERN]);
    for (const [name, { role, type, length }] of operands) {
      if (role !== 'input' && role !== 'inout') continue;
      const buffer = buffers.get(name) as GPUBuffer;
      const values = inputs[name] ?? pattern.subarray(0, length);
      const bytes = encode(values, type);
      for (let offset = 0; offset < buffer.size; offset += bytes.length)
        device.noted(() =>
          device.gpu.queue.writeBuffer(buffer, offset, bytes, 0, Math.min(bytes.length, buffer.size - offset)),
        );
    }
    return result;
  }

  readonly range = (name: string): { buffer: GPUBuffer; offset: number; size: number } => {
    const buffer = this.buffers.get(name) as GPUBuffer;
    return { buffer, offset: 0, size: buffer.size };
  };

  destroy(): void {
    for (const buffer of this.buffers.values()) buffer.destroy();
  }
}
