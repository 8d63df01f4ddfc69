/** What the programs of a training step share, however the batch passes through them. */
import { deviceMemory, type ArenaUsers, type DeviceMemory, type MemoryReport } from '../autodiff/memory.ts';
import { Program, type Feeds, type ProgramOptions, type Results } from '../autodiff/program.ts';
import { planProgram } from '../autodiff/compile-program.ts';
import type { Plan } from '../autodiff/plan.ts';
import type { DeviceStorage } from '../autodiff/device-storage.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import type { TrainingBatch } from '../data/loader.ts';
import type { Span } from '../gpu/profiler.ts';
import { DEFAULT_LOSS_SCALING, type LossScaling } from '../nn/loss-scaling.ts';
import type { OptimizerSettings } from '../nn/optimizers/index.ts';
import type { TrainingUpdate } from '../nn/training-update.ts';
import { withWeightAverage, type WeightAverage } from '../nn/weight-average.ts';
import type { Objective } from './objective.ts';

export interface StepOptions {
  readonly storage: DeviceStorage;
  readonly objective: Objective;
  readonly optimizer: OptimizerSettings;
  /** The loss scale of an objective in f16; one in f32 has none. */
  readonly lossScaling?: LossScaling;
  /** Bytes of device memory that the training may hold, parameters and moments included. */
  readonly memoryBudget?: number;
  /** Equal parts that a batch comes in. Default: as few as the budget allows. */
  readonly microBatches?: number;
  /** An average of the weights that follows each step. */
  readonly average?: WeightAverage;
  /** Plans of other programs on the storage, such as validation's, whose memory counts too. */
  readonly beside?: readonly Plan[];
  /** Receives the number of compiled pipelines, and of all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * What a step gives back: the loss, the objective's reported values, the gate of its update, and the loss scale after
 * it.
 */
export type StepResults = Results<string>;

/** The programs of a training step, and how one batch passes through them. */
export interface StepRunner {
  readonly update: TrainingUpdate;
  readonly report: MemoryReport;
  submit(batch: TrainingBatch, ofUpdate: Feeds): Promise<{ readonly results: Promise<StepResults> }>;
  findNonFinite(batch: TrainingBatch, ofUpdate: Feeds): ReturnType<Program['findNonFinite']>;
  profile(batch: TrainingBatch, ofUpdate: Feeds): Promise<readonly Span[]>;
  destroy(): void;
}

export const memoryOf = ({ device }: DeviceStorage, arenas: readonly ArenaUsers[]): DeviceMemory =>
  deviceMemory(arenas, device.gpu.limits.minUniformBufferOffsetAlignment);

/** What is read back of an objective. */
export function outputsOf({ loss, reported }: Pick<Objective, 'loss' | 'reported'>): Record<string, Tensor> {
  return { loss, ...Object.fromEntries(Object.entries(reported).map(([name, { tensor }]) => [name, tensor])) };
}

export const lossScalingOf = ({
  objective: { precision },
  lossScaling = DEFAULT_LOSS_SCALING,
}: StepOptions): LossScaling | undefined => (precision === 'f16' ? lossScaling : undefined);

/** What is read back of an update. */
export function updateOutputs({ gate, lossScale }: TrainingUpdate): Record<string, Tensor> {
  return { gate, ...(lossScale && { lossScale: lossScale.scale, lossScaleSteps: lossScale.steps }) };
}

export const averaged = (update: TrainingUpdate, { objective: { network }, average }: StepOptions): TrainingUpdate =>
  average === undefined ? update : withWeightAverage(update, network, average);

/** What a program of a step gives back and changes. */
type Stage = Required<Pick<ProgramOptions<string>, 'outputs' | 'updates'>>;

/**
 * Programs of a step that alternate in one arena; the budget goes to the one that needs most, which may recompute.
 */
export async function compileInSharedArena<Name extends string>(
  { storage, memoryBudget, beside = [], onProgress }: StepOptions,
  largest: Stage,
  others: Readonly<Record<Name, Stage>>,
): Promise<{
  readonly main: Program;
  readonly others: Readonly<Record<Name, Program>>;
  readonly memory: DeviceMemory;
  destroy(): void;
}> {
  const otherPlans: Plan[] = [];
  for (const stage of Object.values<Stage>(others)) otherPlans.push(await planProgram(storage, stage));
  const main: Program = await Program.compile<string>(storage, {
    ...largest,
    memoryBudget,
    beside,
    sharedArenaPlans: otherPlans,
    onProgress,
  });
  const compiled: [string, Program][] = [];
  const destroy = (): void => [main, ...compiled.map(([, program]) => program)].forEach((program) => program.destroy());
  try {
    for (const [name, stage] of Object.entries<Stage>(others))
      compiled.push([name, await Program.compile<string>(storage, { ...stage, arena: main.arena })]);
  } catch (error) {
    destroy();
    throw error;
  }
  return {
    main,
    others: Object.fromEntries(compiled) as Record<Name, Program>,
    memory: memoryOf(storage, [[main.plan, ...otherPlans], ...beside]),
    destroy,
  };
}

/** The caller may not wait yet when the device fails. */
export function heeded<T>(results: Promise<T>): Promise<T> {
  results.catch(() => undefined);
  return results;
}
