import { deviceMemory, MemoryBudgetError, type DeviceMemory, type MemoryReport } from '../autodiff/memory.ts';
import { planProgram, Program, type Results } from '../autodiff/program.ts';
import type { Plan } from '../autodiff/plan.ts';
import type { Storage } from '../autodiff/storage.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import type { TrainingBatch } from '../data/loader.ts';
import type { Span } from '../gpu/profiler.ts';
import { DEFAULT_LOSS_SCALING, microBatchUpdate, trainingUpdate, type LossScaling, type OptimizerSettings, type TrainingUpdate } from '../nn/optimizers.ts';
import type { Objective } from './objectives.ts';

export interface StepOptions {
  readonly storage: Storage;
  readonly objective: Objective;
  readonly optimizer: OptimizerSettings;
  /** Of an objective in f16; one in f32 has none. */
  readonly lossScaling?: LossScaling;
  /** Bytes of device memory that the training may hold, parameters and moments included. */
  readonly memoryBudget?: number;
  /** Plans of other programs on the storage, such as validation's, whose memory counts too. */
  readonly beside?: readonly Plan[];
  readonly onProgress?: (done: number, total: number) => void;
}

/** What a step gives back: the loss, the objective's reported values, the gate of its update, and the loss scale after it. */
export type StepResults = Results<string>;

/** The programs of a training step, and how one batch passes through them. */
export interface StepRunner {
  readonly update: TrainingUpdate;
  readonly report: MemoryReport;
  submit(batch: TrainingBatch, hyper: Float32Array): Promise<{ readonly results: Promise<StepResults> }>;
  findNonFinite(batch: TrainingBatch, hyper: Float32Array): ReturnType<Program['findNonFinite']>;
  profile(batch: TrainingBatch, hyper: Float32Array): Promise<readonly Span[]>;
  destroy(): void;
}

/**
 * The programs for a step. What does not fit into the budget is recomputed; where that is not enough, the batch comes in as few
 * equal micro-batches as fit. Recomputation changes no bit; micro-batches are normalised each by its own statistics.
 * @throws MemoryBudgetError that names the least budget
 */
export async function stepRunner(options: StepOptions): Promise<StepRunner> {
  const { count, ofCount } = options.objective;
  const refusals: MemoryBudgetError[] = [];
  for (const parts of ofCount === undefined ? [1] : divisors(count)) {
    try {
      return parts === 1 ? await wholeBatch(options) : await microBatches(options, parts);
    } catch (error) {
      if (!(error instanceof MemoryBudgetError)) throw error;
      refusals.push(error);
    }
  }
  const reason = ofCount === undefined ? ', for a loss that needs its whole batch at once and cannot come in micro-batches' : '';
  throw new MemoryBudgetError(options.memoryBudget ?? 0, Math.min(...refusals.map(({ minimum }) => minimum)), reason);
}

const memoryOf = ({ device }: Storage, plans: readonly Plan[]): DeviceMemory => deviceMemory(plans, device.gpu.limits.minUniformBufferOffsetAlignment);

const divisors = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1).filter((parts) => count % parts === 0);

/** What is read back of an objective. */
function outputsOf({ loss, reported }: Objective): Record<string, Tensor> {
  return { loss, ...Object.fromEntries(Object.entries(reported).map(([name, { tensor }]) => [name, tensor])) };
}

const lossScalingOf = ({ objective: { precision }, lossScaling = DEFAULT_LOSS_SCALING }: StepOptions): LossScaling | undefined => (precision === 'f16' ? lossScaling : undefined);

/** What is read back of an update. */
function updateOutputs({ gate, lossScale }: TrainingUpdate): Record<string, Tensor> {
  return { gate, ...(lossScale && { lossScale: lossScale.scale, lossScaleSteps: lossScale.steps }) };
}

async function wholeBatch(options: StepOptions): Promise<StepRunner> {
  const { storage, objective, optimizer, memoryBudget, beside = [], onProgress } = options;
  const update = trainingUpdate(objective.network, objective.loss, objective.batchStatistics, optimizer, lossScalingOf(options));
  const program: Program = await Program.compile<string>(storage, { outputs: { ...outputsOf(objective), ...updateOutputs(update) }, updates: update.updates, memoryBudget, beside, onProgress });
  const feeds = (batch: TrainingBatch, hyper: Float32Array) => ({ ...objective.feeds(batch), optimizer: hyper });
  return {
    update,
    report: { memory: memoryOf(storage, [program.plan, ...beside]), budget: memoryBudget, recomputed: program.plan.recomputed, microBatches: 1 },
    submit: (batch, hyper) => program.submit(feeds(batch, hyper)),
    findNonFinite: (batch, hyper) => program.findNonFinite(feeds(batch, hyper)),
    profile: (batch, hyper) => program.profile(feeds(batch, hyper)),
    destroy: () => program.destroy(),
  };
}

/** One small program before the micro-batches of a step, one that each of them passes through, and one after them. */
async function microBatches(options: StepOptions, parts: number): Promise<StepRunner> {
  const { storage, objective, optimizer, memoryBudget, beside = [], onProgress } = options;
  const part = (objective.ofCount as NonNullable<Objective['ofCount']>)(objective.count / parts);
  const { begin, part: accumulation, end } = microBatchUpdate(part.network, part.loss, part.batchStatistics, optimizer, parts, lossScalingOf(options));
  const before = { outputs: {}, updates: begin };
  const after = { outputs: updateOutputs(end), updates: end.updates };
  const others = [await planProgram(storage, before), await planProgram(storage, after), ...beside];
  const repeated = await Program.compile<string>(storage, { outputs: outputsOf(part), updates: accumulation, memoryBudget, beside: others, onProgress });
  const first = await Program.compile(storage, before);
  const last = await Program.compile<string>(storage, after);
  const feeds = (batch: TrainingBatch) => splitBatch(batch, parts).map((piece) => part.feeds(piece));
  return {
    update: end,
    report: {
      memory: memoryOf(storage, [repeated.plan, ...others]),
      budget: memoryBudget,
      recomputed: repeated.plan.recomputed,
      microBatches: parts,
    },
    async submit(batch, hyper) {
      await first.submit({});
      const pieces: Promise<StepResults>[] = [];
      for (const piece of feeds(batch)) pieces.push((await repeated.submit(piece)).results);
      const { results: update } = await last.submit({ optimizer: hyper });
      const results = Promise.all([Promise.all(pieces), update]).then(([values, ofUpdate]) => ({ ...meanOf(values), ...ofUpdate }));
      // Whoever asked may not have begun to wait when the device fails.
      results.catch(() => undefined);
      return { results };
    },
    async findNonFinite(batch) {
      for (const piece of feeds(batch)) {
        const found = await repeated.findNonFinite(piece);
        if (found !== null) return found;
      }
      return null;
    },
    async profile(batch, hyper) {
      const spans = [...(await first.profile({}))];
      for (const piece of feeds(batch)) spans.push(...(await repeated.profile(piece)));
      return [...spans, ...(await last.profile({ optimizer: hyper }))];
    },
    destroy: () => [first, repeated, last].forEach((program) => program.destroy()),
  };
}

/** A batch in equal pieces, images in their order; no value is copied. */
export function splitBatch({ step, images, transforms, domains, labels }: TrainingBatch, parts: number): TrainingBatch[] {
  const piece = <T extends Uint8Array | Uint32Array | Float32Array>(values: T, index: number): T => values.subarray((index * values.length) / parts, ((index + 1) * values.length) / parts) as T;
  return Array.from({ length: parts }, (_, index) => ({
    step,
    images: piece(images, index),
    transforms: piece(transforms, index),
    domains: piece(domains, index),
    labels: piece(labels, index),
  }));
}

function meanOf(results: readonly StepResults[]): StepResults {
  return Object.fromEntries(Object.keys(results[0]).map((name) => [name, results[0][name].map((_, index) => results.reduce((sum, result) => sum + result[name][index], 0) / results.length)]));
}
