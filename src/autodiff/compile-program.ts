/** Plans a graph, makes the buffers of a program and compiles its pipelines. */
import type { ElementType } from '../../kernels/contract/element-types.ts';
import { LimitError } from '../gpu/errors.ts';
import { ReadbackRing } from '../gpu/readback.ts';
import { Sequence, type BoundDispatch, type BufferRange } from '../gpu/sequence.ts';
import { UploadRing } from '../gpu/upload.ts';
import { checkOptions } from './attributes.ts';
import { givenBytes, largestArena, planWithin, RUNS_IN_FLIGHT } from './memory.ts';
import { checkIndices, indexChecks } from './indices.ts';
import { choicesFor, type Place, type Plan } from './plan.ts';
import { ProgramInputs } from './program-inputs.ts';
import type { DeviceStorage } from './device-storage.ts';
import { ShapeError, type GraphNode, type Tensor } from './tensor.ts';

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
  /** Plans of programs that alternate with this one in its arena, which is made as large as any of them needs. */
  readonly sharedArenaPlans?: readonly Plan[];
  /**
   * The arena of a program that was compiled with this one's plan among its `sharedArenaPlans`: no run leaves anything there for
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
  'sharedArenaPlans',
  'arena',
  'frozen',
  'maxBindingBytes',
  'stagedFrom',
  'onProgress',
] as const satisfies readonly (keyof ProgramOptions<string>)[];

/** The buffers of a program's intermediates, all but the last as large as the device allows. */
export type Arena = readonly GPUBuffer[];

/** What a compiled program consists of. */
export interface ProgramParts<Name extends string> {
  readonly plan: Plan;
  readonly arena: Arena;
  readonly storage: DeviceStorage;
  readonly results: readonly { readonly name: Name; readonly type: ElementType; readonly length: number }[];
  readonly inputs: ProgramInputs;
  /** All buffers that are its own. */
  readonly buffers: readonly GPUBuffer[];
  readonly sequence: Sequence;
  /** The dispatches of each kernel call. */
  readonly bound: readonly (readonly BoundDispatch[])[];
  readonly uploads: UploadRing;
  readonly ring: ReadbackRing;
  rangeOf(place: Place): BufferRange;
}

/** Makes the parts of a program. Where it throws, all that it made is given back. Errors: see `Program.compile`. */
export async function compileParts<Name extends string>(
  storage: DeviceStorage,
  options: ProgramOptions<Name>,
): Promise<ProgramParts<Name>> {
  checkOptions('Program.compile', options, OPTIONS);
  storage.check();
  storage.device.check();
  const { outputs, updates = [], frozen = false, sharedArenaPlans = [], onProgress } = options;
  if (frozen && updates.length > 0)
    throw new ShapeError(
      'a frozen program has updates: they change what it takes for unchanged; leave out one of the two',
    );
  if (frozen && (options.arena ?? sharedArenaPlans[0]) !== undefined)
    throw new ShapeError('a frozen program keeps results in its arena from run to run, so that no other can share it');
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
  const arenaBytes = largestArena([planned, ...sharedArenaPlans]);
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
      return { arena, inputs: new ProgramInputs(device.gpu, inputs, checks), rangeOf, bound, uploads, ring };
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
    return { ...result, plan: planned, storage, results, buffers, sequence };
  } catch (error) {
    for (const one of made) one.destroy();
    throw error;
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
    sharedArenaPlans,
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
    { memoryBudget, beside, sharedArenaPlans, uniformAlignment: gpu.limits.minUniformBufferOffsetAlignment },
  );
}

/** Chunks of an arena that needs several begin at multiples of the strictest alignment. */
const largestBuffer = ({ limits }: GPUDevice): number => Math.floor(limits.maxBufferSize / 256) * 256;
