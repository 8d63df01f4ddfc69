import { float16ToFloat32Bits, widen } from '../../kernels/contract/half.ts';
import type { ElementType } from '../../kernels/contract/element-types.ts';
import { DisposedError, LimitError } from '../gpu/errors.ts';
import type { Device } from '../gpu/device.ts';
import { hostValues, type HostValues } from '../gpu/host-values.ts';
import type { Span } from '../gpu/profiler.ts';
import { ReadbackRing } from '../gpu/readback.ts';
import { readBuffer } from '../gpu/run-kernel.ts';
import { Sequence, type BoundDispatch, type BufferRange } from '../gpu/sequence.ts';
import { UploadRing } from '../gpu/upload.ts';
import { checkOptions } from './attributes.ts';
import { deviceMemory, givenBytes, largestArena, planWithin, RUNS_IN_FLIGHT, type DeviceMemory } from './memory.ts';
import { checkIndices, indexChecks } from './indices.ts';
import type { IndexCheck } from './plan-types.ts';
import { choicesFor, type Place, type Plan } from './planning.ts';
import type { DeviceStorage } from './device-storage.ts';
import { submissionsOf } from './submissions.ts';
import { describe, ShapeError, type GraphNode, type Tensor } from './tensor.ts';

/**
 * Values of a program's inputs, by name. Their types are those of the inputs, or are converted by value (see
 * HostValues). They are copied at the call: as soon as `run`, `submit` or `profile` has returned its promise, the
 * caller may write the arrays again.
 */
export type Feeds = Readonly<Record<string, HostValues>>;
/** The outputs of a run by name, each row-major in float32. */
export type Results<Name extends string> = Readonly<Record<Name, Float32Array>>;

/** What a program computes, and how it is compiled. */
export interface ProgramOptions<Name extends string> {
  /** Tensors to give back after each run, by name. */
  readonly outputs: Readonly<Record<Name, Tensor>>;
  /** Nodes with effects (optimiser, running statistics), in the order in which they are to run, after all else. */
  readonly updates?: readonly GraphNode[];
  /**
   * Bytes of device memory that may be held, stores included; what does not fit is recomputed instead of stored.
   */
  readonly memoryBudget?: number;
  /** Plans of programs on the same storage whose memory counts into the budget. */
  readonly beside?: readonly Plan[];
  /** Plans of programs that will be compiled with this one's arena, so that it is as large as any of them needs. */
  readonly inTurn?: readonly Plan[];
  /**
   * The arena of a program that was compiled with this one's plan among its `inTurn`: no run leaves anything there for
   * the next.
   */
  readonly arena?: Arena;
  /**
   * Stored tensors stay as they are from run to run, as in inference: what depends on them alone (folded batch
   * normalisation, transformed weights) is computed now and kept. After a change of them, call `refresh`.
   */
  readonly frozen?: boolean;
  /** Bytes of the largest storage binding, where it shall be less than the device's own limit: tests set it. */
  readonly maxBindingBytes?: number;
  /**
   * Bytes from which an input goes through staging buffers, where it shall not be what suits the adapter: tests set it.
   */
  readonly stagedFrom?: number;
  /** Hears of each compiled pipeline. What it throws rejects `compile`. */
  readonly onProgress?: (done: number, total: number) => void;
}

const OPTIONS = [
  'outputs',
  'updates',
  'memoryBudget',
  'beside',
  'inTurn',
  'arena',
  'frozen',
  'maxBindingBytes',
  'stagedFrom',
  'onProgress',
] as const satisfies readonly (keyof ProgramOptions<string>)[];

/** The buffers of a program's intermediates, all but the last as large as the device allows. */
export type Arena = readonly GPUBuffer[];

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
  private readonly results: readonly { readonly name: Name; readonly type: ElementType; readonly length: number }[];
  private readonly inputs: ReadonlyMap<string, { readonly tensor: Tensor; readonly buffer: GPUBuffer }>;
  private readonly indexChecks: readonly IndexCheck[];
  private readonly buffers: readonly GPUBuffer[];
  private readonly sequence: Sequence;
  /** Commands of the sequence before those of a run: what is kept. */
  private readonly frozenCommands: number;
  private readonly submissions: ReturnType<typeof submissionsOf>;
  private readonly bound: readonly (readonly BoundDispatch[])[];
  private readonly uploads: UploadRing;
  private readonly ring: ReadbackRing;
  private readonly rangeOf: (place: Place) => BufferRange;

  private constructor(parts: {
    plan: Plan;
    arena: Arena;
    storage: DeviceStorage;
    results: Program<Name>['results'];
    inputs: ReadonlyMap<string, { readonly tensor: Tensor; readonly buffer: GPUBuffer }>;
    buffers: readonly GPUBuffer[];
    sequence: Sequence;
    bound: readonly (readonly BoundDispatch[])[];
    uploads: UploadRing;
    ring: ReadbackRing;
    rangeOf: (place: Place) => BufferRange;
    indexChecks: readonly IndexCheck[];
  }) {
    this.plan = parts.plan;
    this.arena = parts.arena;
    this.storage = parts.storage;
    this.device = parts.storage.device;
    this.results = parts.results;
    this.inputs = parts.inputs;
    this.indexChecks = parts.indexChecks;
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
    checkOptions('Program.compile', options, OPTIONS);
    storage.check();
    storage.device.check();
    const { outputs, updates = [], frozen = false, inTurn = [], onProgress } = options;
    if (frozen && updates.length > 0)
      throw new ShapeError(
        'a frozen program has updates: they change what it takes for unchanged; leave out one of the two',
      );
    if (frozen && (options.arena ?? inTurn[0]) !== undefined)
      throw new ShapeError(
        'a frozen program keeps results in its arena from run to run, so that no other can share it',
      );
    const { device } = storage;
    const chunkBytes = largestBuffer(device.gpu);
    const results = Object.entries<Tensor>(outputs).map(([name, tensor]) => ({
      name: name as Name,
      tensor,
      type: tensor.type,
      length: tensor.length,
    }));
    const planned = await planProgram(storage, options);
    const checks = indexChecks(planned.calls.map(({ node }) => node));
    for (const check of checks)
      if (check.indices.origin.kind === 'constant') checkIndices(check, check.indices.origin.values);

    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const arenaBytes = largestArena([planned, ...inTurn]);
    const buffers: GPUBuffer[] = [];
    const make = (label: string, size: number): GPUBuffer => {
      const buffer = device.createBuffer({ label, size, usage });
      buffers.push(buffer);
      return buffer;
    };
    const made: { destroy(): void }[] = [{ destroy: () => buffers.forEach((buffer) => device.freeBuffer(buffer)) }];
    try {
      const { result, failure } = device.scoped(() => {
        const own =
          options.arena === undefined
            ? Array.from({ length: Math.ceil(arenaBytes / chunkBytes) }, (_, chunk) =>
                make('intermediates', Math.min(chunkBytes, arenaBytes - chunk * chunkBytes)),
              )
            : [];
        const arena = options.arena ?? own;
        const given = new Map<Tensor, GPUBuffer>();
        const inputs = new Map<string, { tensor: Tensor; buffer: GPUBuffer }>();
        for (const tensor of planned.given) {
          const buffer = make(tensor.name, givenBytes(tensor));
          given.set(tensor, buffer);
          if (tensor.origin.kind === 'constant') {
            device.gpu.queue.writeBuffer(buffer, 0, tensor.origin.values);
          } else {
            if (inputs.has(tensor.name)) throw new ShapeError(`two inputs are called ${tensor.name}`);
            inputs.set(tensor.name, { tensor, buffer });
          }
        }
        const rangeOf = (place: Place): BufferRange => {
          const { bytes: size } = place;
          if (place.kind === 'stored') return { buffer: storage.buffer(place.store), offset: place.offset, size };
          if (place.kind === 'given') return { buffer: given.get(place.tensor) as GPUBuffer, offset: 0, size };
          const chunk = Math.floor(place.offset / chunkBytes);
          return { buffer: arena[chunk], offset: place.offset - chunk * chunkBytes, size };
        };
        const bound = planned.calls.map(({ call, places, label }) =>
          call.dispatches.map((dispatch): BoundDispatch => ({
            dispatch,
            label,
            ranges: dispatch.operands.map((name) => rangeOf(places[name])),
          })),
        );
        const uploads = new UploadRing(
          device,
          planned.staged.map((tensor) => ({ buffer: given.get(tensor) as GPUBuffer, size: tensor.bytes })),
          RUNS_IN_FLIGHT,
        );
        made.push(uploads);
        const ring = new ReadbackRing(
          device,
          [...results.map(({ tensor }) => tensor), ...planned.computedIndices.map(({ indices }) => indices)].map(
            (tensor) => rangeOf(planned.outputs.get(tensor) as Place),
          ),
          RUNS_IN_FLIGHT,
        );
        made.push(ring);
        return { arena, inputs, rangeOf, bound, uploads, ring };
      });
      const error = await device.wait(failure);
      if (error instanceof LimitError)
        throw new LimitError(
          `the device has no room for this program's ${arenaBytes} bytes of intermediates, or for its inputs, results and stores: ${error.message}`,
        );
      if (error !== undefined) throw error;
      // The stores that were made for it.
      device.check();
      const sequence = await Sequence.prepare(device, result.bound.flat(), onProgress);
      made.push(sequence);
      storage.check();
      const program = new Program({
        ...result,
        plan: planned,
        storage,
        results,
        buffers,
        sequence,
        indexChecks: checks,
      });
      program.refresh();
      return program;
    } catch (error) {
      for (const one of made) one.destroy();
      throw error;
    }
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
    // Whoever has to wait may find other numbers in the caller's arrays later.
    const values = this.valuesOf(feeds, full());
    // No await between the last look and the taking of the slot: submits may come from several places at once.
    while (full()) await this.underway(Promise.all([this.uploads.available(), this.ring.available()]));
    this.check();
    const staged = this.plan.staged.map(({ name }) => name);
    const { gpu } = this.device;
    const [head, ...tail] = this.submissions;
    let submitted;
    try {
      submitted = this.device.scoped(() => {
        this.write(values, staged);
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
    // Whoever asked may not have begun to wait when the device fails.
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
    const values = this.valuesOf(feeds, true);
    // Loaded by those who profile.
    const { Profiler } = await import('../gpu/profiler.ts');
    this.check();
    this.device.noted(() => this.write(values));
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
    this.device.noted(() => this.write(this.valuesOf(feeds)));
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

  /**
   * What to write to each input. @throws ShapeError where the feeds do not fit, IndexError where indices are out of
   * range
   */
  private valuesOf(feeds: Feeds, copy = false): ReadonlyMap<string, GPUAllowSharedBufferSource & ArrayBufferView> {
    const values = new Map<string, ArrayBufferView<ArrayBuffer>>();
    for (const [name, { tensor }] of this.inputs) {
      const given = feeds[name];
      const refuse = (why: string): never => {
        throw new ShapeError(`input ${describe(tensor)} ${why}`);
      };
      if (given === undefined) throw new ShapeError(`no value was given for input ${describe(tensor)}`);
      const words = hostValues(given, tensor.type === 'u32' ? 'u32' : 'f32', tensor.length, refuse, copy);
      for (const check of this.indexChecks) if (check.indices === tensor) checkIndices(check, words);
      values.set(name, words);
    }
    for (const name of Object.keys(feeds)) {
      if (!this.inputs.has(name))
        throw new ShapeError(
          `the program has no input called ${name}; its inputs are ${[...this.inputs.keys()].join(', ')}`,
        );
    }
    return values;
  }

  /** Writes the inputs, but for those that are staged. */
  private write(values: ReturnType<Program['valuesOf']>, staged: readonly string[] = []): void {
    for (const [name, { buffer }] of this.inputs) {
      if (!staged.includes(name))
        this.device.gpu.queue.writeBuffer(buffer, 0, values.get(name) as ArrayBufferView<ArrayBuffer>);
    }
  }

  private record(encoder: GPUCommandEncoder, [first, last]: readonly [number, number]): void {
    const pass = encoder.beginComputePass();
    this.sequence.record(pass, first, last);
    pass.end();
  }
}

/** The plan that a program will have. @throws MemoryBudgetError where no recomputation fits it into the budget */
export async function planProgram(
  { device: { gpu, traits }, selector }: DeviceStorage,
  {
    outputs,
    updates = [],
    frozen,
    memoryBudget,
    beside,
    inTurn,
    maxBindingBytes = gpu.limits.maxStorageBufferBindingSize,
    stagedFrom,
  }: Omit<ProgramOptions<string>, 'onProgress'>,
): Promise<Plan> {
  const graph = {
    outputs: Object.values<Tensor>(outputs),
    updates,
    frozen,
    traits,
    maxBufferBytes: largestBuffer(gpu),
    maxBindingBytes,
    stagedFrom,
  };
  const choices = selector && (await choicesFor(selector, graph));
  return planWithin(
    { ...graph, choices },
    { memoryBudget, beside, sharedArenaPlans: inTurn, uniformAlignment: gpu.limits.minUniformBufferOffsetAlignment },
  );
}

/** Chunks of an arena that needs several begin at multiples of the strictest alignment. */
const largestBuffer = ({ limits }: GPUDevice): number => Math.floor(limits.maxBufferSize / 256) * 256;

/** Results as the host has them: 16-bit floats upcast, integers as the bits of floats. */
function floatsOf(bytes: ArrayBuffer, type: ElementType, length: number): Float32Array {
  return type === 'f16' ? widen(new Uint16Array(bytes, 0, length), float16ToFloat32Bits) : new Float32Array(bytes);
}
