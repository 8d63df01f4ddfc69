import { float16ToFloat32Bits, widen } from '../../kernels/contract/half.ts';
import type { ElementType } from '../../kernels/contract/element-types.ts';
import { DisposedError } from '../gpu/errors.ts';
import type { Device } from '../gpu/device.ts';
import type { Span } from '../gpu/profiler.ts';
import type { ReadbackRing } from '../gpu/readback.ts';
import { readBuffer } from '../gpu/run-kernel.ts';
import type { BufferRange, Sequence } from '../gpu/sequence.ts';
import type { UploadRing } from '../gpu/upload.ts';
import { compileParts, type Arena, type ProgramOptions, type ProgramParts } from './compile-program.ts';
import { deviceMemory, type DeviceMemory } from './memory.ts';
import { checkIndices } from './indices.ts';
import type { Place, Plan } from './plan.ts';
import type { DeviceStorage } from './device-storage.ts';
import type { Feeds, ProgramInputs } from './program-inputs.ts';
import { submissionsOf } from './submissions.ts';

export type { Arena, Feeds, ProgramOptions };

/** The outputs of a run by name, each row-major in float32. */
export type Results<Name extends string> = Readonly<Record<Name, Float32Array>>;

/**
 * A graph, planned and compiled for one device. A run writes the inputs, encodes a fixed list of dispatches and submits
 * them, on a GPU in a few parts: it allocates no buffer, compiles nothing and makes no bind group. Results arrive when
 * the device is done; meanwhile the next run may be submitted.
 */
export class Program<Name extends string = string> {
  readonly plan: Plan;
  readonly arena: Arena;
  private readonly storage: DeviceStorage;
  private readonly device: Device;
  private destroyed = false;
  private readonly results: ProgramParts<Name>['results'];
  private readonly inputs: ProgramInputs;
  private readonly buffers: readonly GPUBuffer[];
  private readonly sequence: Sequence;
  /** Commands of the sequence before those of a run: what is kept. */
  private readonly frozenCommands: number;
  private readonly submissions: ReturnType<typeof submissionsOf>;
  private readonly bound: ProgramParts<Name>['bound'];
  private readonly uploads: UploadRing;
  private readonly ring: ReadbackRing;
  private readonly rangeOf: (place: Place) => BufferRange;

  private constructor(parts: ProgramParts<Name>) {
    this.plan = parts.plan;
    this.arena = parts.arena;
    this.storage = parts.storage;
    this.device = parts.storage.device;
    this.results = parts.results;
    this.inputs = parts.inputs;
    this.buffers = parts.buffers;
    this.sequence = parts.sequence;
    this.bound = parts.bound;
    this.frozenCommands = parts.bound.slice(0, parts.plan.frozenCalls).flat().length;
    this.submissions = submissionsOf(this.frozenCommands, parts.sequence.commands.length, this.device.traits);
    this.uploads = parts.uploads;
    this.ring = parts.ring;
    this.rangeOf = parts.rangeOf;
  }

  /**
   * Plans the graph, makes its buffers and compiles its pipelines, all in parallel. Where it throws, all that it made
   * is given back.
   * @throws MemoryBudgetError where no recomputation fits it into the budget
   * @throws LimitError where the adapter lacks the memory, or has no buffer as large as a store, an input or the
   * results of a run
   * @throws ShapeError for a graph or options that do not fit
   * @throws IndexError for constant indices that are out of range
   */
  static async compile<Name extends string>(
    storage: DeviceStorage,
    options: ProgramOptions<Name>,
  ): Promise<Program<Name>> {
    const program = new Program(await compileParts(storage, options));
    try {
      program.refresh();
    } catch (error) {
      program.destroy();
      throw error;
    }
    return program;
  }

  /**
   * Computes again what a frozen program keeps; to be called after stored tensors have changed. Runs submitted before
   * see the old values, runs submitted after it the new ones. Does nothing in a program that is not frozen.
   */
  refresh(): void {
    this.check();
    if (this.frozenCommands > 0) this.sequence.submit(0, this.frozenCommands);
  }

  /** Kernel calls and dispatches of a run. */
  get size(): { readonly calls: number; readonly dispatches: number } {
    return {
      calls: this.plan.calls.length - this.plan.frozenCalls,
      dispatches: this.sequence.commands.length - this.frozenCommands,
    };
  }

  /**
   * What the program holds on the device, as its plan has it: exactly what is allocated, unless others run in its
   * arena.
   */
  get memory(): DeviceMemory {
    return deviceMemory([this.plan], this.device.gpu.limits.minUniformBufferOffsetAlignment);
  }

  /**
   * Submits a run and gives its results as a promise of their own, so that a caller can submit the next run meanwhile:
   * `const { results } = await program.submit(feeds)`. Waits only where RUNS_IN_FLIGHT runs are under way. The feeds
   * are copied at the call. Results are those of a run that went without an error, or the promise rejects.
   * @throws ShapeError for feeds that do not fit
   * @throws IndexError for indices that are out of range; the results reject with it where the graph computes them
   * @throws DisposedError where the program, its storage or its device was destroyed, also while the run was under way
   * @throws DeviceLostError, ValidationError or LimitError where the run failed on the device
   */
  async submit(feeds: Feeds): Promise<{ readonly results: Promise<Results<Name>> }> {
    this.check();
    const full = (): boolean => this.uploads.full || this.ring.full;
    // The caller may change its arrays while the run waits.
    const values = this.inputs.valuesOf(feeds, full());
    // No await between the last look and the taking of the slot: submits may come from several places at once.
    while (full()) await this.underway(Promise.all([this.uploads.available(), this.ring.available()]));
    this.check();
    const staged = this.plan.staged.map(({ name }) => name);
    const { gpu } = this.device;
    const [head, ...tail] = this.submissions;
    let submitted;
    try {
      submitted = this.device.scoped(() => {
        this.inputs.write(values, staged);
        let encoder = gpu.createCommandEncoder();
        const upload = this.uploads.record(
          encoder,
          staged.map((name) => values.get(name) as ArrayBufferView),
        );
        this.record(encoder, head);
        for (const part of tail) {
          gpu.queue.submit([encoder.finish()]);
          encoder = gpu.createCommandEncoder();
          this.record(encoder, part);
        }
        const slot = this.ring.record(encoder);
        gpu.queue.submit([encoder.finish()]);
        this.uploads.reclaim(upload);
        return this.ring.read(slot);
      });
    } catch (error) {
      // A device that is being lost takes its mapped memory along before it says so.
      return this.device.wait(Promise.reject(error as Error));
    }
    const results = this.resultsOf(submitted.result, submitted.failure);
    // The caller may not wait yet when the device fails.
    results.catch(() => undefined);
    return { results };
  }

  /** Runs once and waits for the results. */
  async run(feeds: Feeds): Promise<Results<Name>> {
    return (await this.submit(feeds)).results;
  }

  /**
   * Runs once with every dispatch timed by the device's clock (host time where it has none). For profiles, not for
   * speed.
   */
  async profile(feeds: Feeds): Promise<readonly Span[]> {
    this.check();
    const values = this.inputs.valuesOf(feeds, true);
    // Loaded by those who profile.
    const { Profiler } = await import('../gpu/profiler.ts');
    this.check();
    this.device.noted(() => this.inputs.write(values));
    return this.underway(new Profiler(this.device).run(this.sequence, this.frozenCommands));
  }

  /**
   * Repeats a run call by call, without its updates, until one gives a number that is not finite. To find the cause
   * after a loss came back as NaN; slow.
   * @returns the first such call, or null if everything is finite
   */
  async findNonFinite(feeds: Feeds): Promise<{
    readonly label: string;
    readonly operand: string;
    readonly element: number;
    readonly value: number;
  } | null> {
    this.check();
    this.device.noted(() => this.inputs.write(this.inputs.valuesOf(feeds)));
    let command = 0;
    for (const [index, { call, places, label, node }] of this.plan.calls.entries()) {
      const first = command;
      command += this.bound[index].length;
      if (node.op.effect === true) continue;
      this.sequence.submit(first, command);
      for (const [operand, { role, type, length }] of Object.entries(call.operands)) {
        if (role !== 'output' || type === 'u32') continue;
        const range = this.rangeOf(places[operand]);
        const values = floatsOf(
          await this.underway(readBuffer(this.device, range.buffer, range.offset, range.size)),
          type,
          length,
        );
        const element = values.findIndex((value) => !Number.isFinite(value));
        if (element >= 0) return { label, operand, element, value: values[element] };
      }
    }
    return null;
  }

  /**
   * Gives back what the program holds on the device, but not its stores. It cannot be used afterwards; runs under way
   * reject.
   */
  destroy(): void {
    this.destroyed = true;
    for (const buffer of this.buffers) this.device.freeBuffer(buffer);
    this.sequence.destroy();
    this.uploads.destroy();
    this.ring.destroy();
  }

  /** @throws DisposedError where the program, its storage or its device was given back; or the device's failure */
  private check(): void {
    if (this.destroyed)
      throw new DisposedError(
        'the program was destroyed. Compile another one, and await the results of its runs before `destroy`.',
      );
    this.storage.check();
    this.device.check();
  }

  /** Passes work of the device on; where it fails because something was destroyed meanwhile, that is the error. */
  private async underway<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      if (this.destroyed) this.check();
      this.storage.check();
      throw error;
    }
  }

  private async resultsOf(
    reading: Promise<ArrayBuffer[]>,
    failure: Promise<Error | undefined>,
  ): Promise<Results<Name>> {
    const [read, error] = await Promise.allSettled([reading, failure]);
    return this.underway(
      (async () => {
        if (error.status === 'fulfilled' && error.value !== undefined) throw error.value;
        if (read.status === 'rejected') throw read.reason;
        this.plan.computedIndices.forEach((check, index) =>
          checkIndices(check, new Uint8Array(read.value[this.results.length + index])),
        );
        return Object.fromEntries(
          this.results.map(({ name, type, length }, index) => [name, floatsOf(read.value[index], type, length)]),
        ) as Results<Name>;
      })(),
    );
  }

  private record(encoder: GPUCommandEncoder, [first, last]: readonly [number, number]): void {
    const pass = encoder.beginComputePass();
    this.sequence.record(pass, first, last);
    pass.end();
  }
}

/** Results as the host has them: 16-bit floats upcast, integers as the bits of floats. */
function floatsOf(bytes: ArrayBuffer, type: ElementType, length: number): Float32Array {
  return type === 'f16' ? widen(new Uint16Array(bytes, 0, length), float16ToFloat32Bits) : new Float32Array(bytes);
}
