import {
  deviceMemory,
  MemoryBudgetError,
  type ArenaUsers,
  type DeviceMemory,
  type MemoryReport,
} from '../autodiff/memory.ts';
import { planProgram, Program, type Feeds, type ProgramOptions, type Results } from '../autodiff/program.ts';
import type { Plan } from '../autodiff/planning.ts';
import { work } from '../autodiff/schedule-model.ts';
import type { DeviceStorage } from '../autodiff/device-storage.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import type { TrainingBatch } from '../data/loader.ts';
import type { Span } from '../gpu/profiler.ts';
import { DEFAULT_LOSS_SCALING, type LossScaling } from '../nn/loss-scaling.ts';
import type { OptimizerSettings } from '../nn/optimizers/index.ts';
import { cachedUpdate, microBatchUpdate, trainingUpdate, type TrainingUpdate } from '../nn/training-update.ts';
import { withWeightAverage, type WeightAverage } from '../nn/weight-average.ts';
import type { EncodedObjective, Objective } from './objectives.ts';

export interface StepOptions {
  readonly storage: DeviceStorage;
  readonly objective: Objective;
  readonly optimizer: OptimizerSettings;
  /** Of an objective in f16; one in f32 has none. */
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

/** A batch that does not come in so many parts. */
export class MicroBatchError extends Error {
  override readonly name = 'MicroBatchError';
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

/**
 * The programs for a step. What does not fit into the budget is recomputed; where that is not enough, the batch comes
 * in as few equal micro-batches as fit, unless it is said in how many. Recomputation changes no bit; micro-batches are
 * normalised each by its own statistics.
 * @throws MemoryBudgetError that names the least budget, MicroBatchError where the batch does not come in so many parts
 */
export async function stepRunner(options: StepOptions): Promise<StepRunner> {
  const {
    objective: { count, ofCount, encoded },
    microBatches: wanted,
  } = options;
  const inParts = ofCount !== undefined ? microBatches : encoded !== undefined ? encodedMicroBatches : undefined;
  const { multipleOf = 1 } = encoded ?? {};
  const possible = inParts === undefined ? [1] : divisors(count).filter((parts) => (count / parts) % multipleOf === 0);
  if (wanted !== undefined && !possible.includes(wanted)) {
    throw new MicroBatchError(
      `a batch of ${count} images comes in ${possible.join(', ')} equal parts${inParts === undefined ? ' for this loss' : ''}, and not in ${wanted}`,
    );
  }
  const refusals: MemoryBudgetError[] = [];
  for (const parts of wanted === undefined ? possible : [wanted]) {
    try {
      return parts === 1 || inParts === undefined ? await wholeBatch(options) : await inParts(options, parts);
    } catch (error) {
      if (!(error instanceof MemoryBudgetError)) throw error;
      refusals.push(error);
    }
  }
  const needsWhole =
    inParts === undefined ? ', for a loss that needs its whole batch at once and cannot come in micro-batches' : '';
  const reason = wanted === undefined ? needsWhole : `, with the batch in ${wanted} ${wanted === 1 ? 'part' : 'parts'}`;
  throw new MemoryBudgetError(options.memoryBudget ?? 0, Math.min(...refusals.map(({ minimum }) => minimum)), reason);
}

const memoryOf = ({ device }: DeviceStorage, arenas: readonly ArenaUsers[]): DeviceMemory =>
  deviceMemory(arenas, device.gpu.limits.minUniformBufferOffsetAlignment);

const divisors = (count: number): number[] =>
  Array.from({ length: count }, (_, index) => index + 1).filter((parts) => count % parts === 0);

/** What is read back of an objective. */
function outputsOf({ loss, reported }: Pick<Objective, 'loss' | 'reported'>): Record<string, Tensor> {
  return { loss, ...Object.fromEntries(Object.entries(reported).map(([name, { tensor }]) => [name, tensor])) };
}

const lossScalingOf = ({
  objective: { precision },
  lossScaling = DEFAULT_LOSS_SCALING,
}: StepOptions): LossScaling | undefined => (precision === 'f16' ? lossScaling : undefined);

/** What is read back of an update. */
function updateOutputs({ gate, lossScale }: TrainingUpdate): Record<string, Tensor> {
  return { gate, ...(lossScale && { lossScale: lossScale.scale, lossScaleSteps: lossScale.steps }) };
}

const averaged = (update: TrainingUpdate, { objective: { network }, average }: StepOptions): TrainingUpdate =>
  average === undefined ? update : withWeightAverage(update, network, average);

async function wholeBatch(options: StepOptions): Promise<StepRunner> {
  const { storage, objective, optimizer, memoryBudget, beside = [], onProgress } = options;
  const update = averaged(
    trainingUpdate(objective.network, objective.loss, objective.batchStatistics, optimizer, lossScalingOf(options)),
    options,
  );
  const program: Program = await Program.compile<string>(storage, {
    outputs: { ...outputsOf(objective), ...updateOutputs(update) },
    updates: update.updates,
    memoryBudget,
    beside,
    onProgress,
  });
  const feeds = (batch: TrainingBatch, ofUpdate: Feeds) => ({ ...objective.feeds(batch), ...ofUpdate });
  return {
    update,
    report: {
      memory: memoryOf(storage, [program.plan, ...beside]),
      budget: memoryBudget,
      recomputed: program.plan.recomputed,
      microBatches: 1,
      normalizedApart: false,
    },
    submit: (batch, ofUpdate) => program.submit(feeds(batch, ofUpdate)),
    findNonFinite: (batch, ofUpdate) => program.findNonFinite(feeds(batch, ofUpdate)),
    profile: (batch, ofUpdate) => program.profile(feeds(batch, ofUpdate)),
    destroy: () => program.destroy(),
  };
}

/** What a program of a step gives back and changes. */
type Stage = Required<Pick<ProgramOptions<string>, 'outputs' | 'updates'>>;

/**
 * Programs of a step that run in turn, in one arena; the budget goes to the one that needs most, which may recompute.
 */
async function compileInTurn<Name extends string>(
  { storage, memoryBudget, beside = [], onProgress }: StepOptions,
  largest: Stage,
  others: Readonly<Record<Name, Stage>>,
): Promise<{
  readonly main: Program;
  readonly others: Readonly<Record<Name, Program>>;
  readonly memory: DeviceMemory;
  destroy(): void;
}> {
  const inTurn: Plan[] = [];
  for (const stage of Object.values<Stage>(others)) inTurn.push(await planProgram(storage, stage));
  const main: Program = await Program.compile<string>(storage, {
    ...largest,
    memoryBudget,
    beside,
    inTurn,
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
    memory: memoryOf(storage, [[main.plan, ...inTurn], ...beside]),
    destroy,
  };
}

/** One small program before the micro-batches of a step, one that each of them passes through, and one after them. */
async function microBatches(options: StepOptions, parts: number): Promise<StepRunner> {
  const { objective, optimizer, memoryBudget } = options;
  const part = (objective.ofCount as NonNullable<Objective['ofCount']>)(objective.count / parts);
  const {
    begin,
    part: accumulation,
    end: ofParts,
  } = microBatchUpdate(part.network, part.loss, part.batchStatistics, optimizer, parts, lossScalingOf(options));
  const end = averaged(ofParts, options);
  const {
    main: repeated,
    others: { first, last },
    memory,
    destroy,
  } = await compileInTurn(
    options,
    { outputs: outputsOf(part), updates: accumulation },
    { first: { outputs: {}, updates: begin }, last: { outputs: updateOutputs(end), updates: end.updates } },
  );
  const feeds = (batch: TrainingBatch) => splitBatch(batch, parts).map((piece) => part.feeds(piece));
  return {
    update: end,
    report: {
      memory,
      budget: memoryBudget,
      recomputed: repeated.plan.recomputed,
      microBatches: parts,
      normalizedApart: part.batchStatistics.size > 0,
    },
    async submit(batch, ofUpdate) {
      await first.submit({});
      const pieces: Promise<StepResults>[] = [];
      for (const piece of feeds(batch)) pieces.push((await repeated.submit(piece)).results);
      const { results: updated } = await last.submit(ofUpdate);
      return {
        results: heeded(
          Promise.all([Promise.all(pieces), updated]).then(([values, others]) => ({ ...meanOf(values), ...others })),
        ),
      };
    },
    async findNonFinite(batch) {
      for (const piece of feeds(batch)) {
        const found = await repeated.findNonFinite(piece);
        if (found !== null) return found;
      }
      return null;
    },
    async profile(batch, ofUpdate) {
      const spans = [...(await first.profile({}))];
      for (const piece of feeds(batch)) spans.push(...(await repeated.profile(piece)));
      return [...spans, ...(await last.profile(ofUpdate))];
    },
    destroy,
  };
}

/**
 * Gradient caching, for a loss over the whole batch: every micro-batch passes through the network once to be kept, and
 * once more, after the loss, to pass its share of the gradient on. See `cachedUpdate`.
 */
async function encodedMicroBatches(options: StepOptions, parts: number): Promise<StepRunner> {
  const { objective, optimizer, memoryBudget } = options;
  const { encode, loss: lossOf } = objective.encoded as EncodedObjective;
  const part = encode(objective.count / parts);
  const update = cachedUpdate(objective.network, part, lossOf, optimizer, parts, lossScalingOf(options));
  const end = averaged(update.end, options);
  const { feeds: lossFeeds } = update.lossOfBatch;
  const {
    main: propagate,
    others: { first, keep, loss, last },
    memory,
    destroy,
  } = await compileInTurn(
    options,
    { outputs: {}, updates: update.part },
    {
      first: { outputs: {}, updates: update.begin },
      keep: { outputs: {}, updates: update.encode },
      loss: { outputs: outputsOf(update.lossOfBatch), updates: update.loss },
      last: { outputs: updateOutputs(end), updates: end.updates },
    },
  );
  const feeds = (batch: TrainingBatch) =>
    interleaved(batch, parts).map(({ piece, rows }) => ({ ...part.feeds(piece), rows }));
  const { recomputed } = propagate.plan;
  return {
    update: end,
    report: {
      memory,
      budget: memoryBudget,
      recomputed,
      microBatches: parts,
      normalizedApart: part.batchStatistics.size > 0,
      encodedTwice: (workOf(keep.plan) / workOf(propagate.plan)) * (1 + (recomputed?.share ?? 0)),
    },
    async submit(batch, ofUpdate) {
      const pieces = feeds(batch);
      await first.submit({});
      for (const piece of pieces) await keep.submit(piece);
      const { results: values } = await loss.submit(lossFeeds(batch));
      for (const piece of pieces) await propagate.submit(piece);
      const { results: updated } = await last.submit(ofUpdate);
      return { results: heeded(Promise.all([values, updated]).then(([one, other]) => ({ ...one, ...other }))) };
    },
    async findNonFinite(batch) {
      // What is kept and derived on the way is needed further on; weights change in `last` alone.
      const pieces = feeds(batch);
      await first.submit({});
      for (const piece of pieces) {
        const found = await keep.findNonFinite(piece);
        if (found !== null) return found;
        await keep.submit(piece);
      }
      const found = await loss.findNonFinite(lossFeeds(batch));
      if (found !== null) return found;
      await loss.submit(lossFeeds(batch));
      for (const piece of pieces) {
        const later = await propagate.findNonFinite(piece);
        if (later !== null) return later;
      }
      return null;
    },
    async profile(batch, ofUpdate) {
      const pieces = feeds(batch);
      const spans = [...(await first.profile({}))];
      for (const piece of pieces) spans.push(...(await keep.profile(piece)));
      spans.push(...(await loss.profile(lossFeeds(batch))));
      for (const piece of pieces) spans.push(...(await propagate.profile(piece)));
      return [...spans, ...(await last.profile(ofUpdate))];
    },
    destroy,
  };
}

const workOf = ({ calls }: Plan): number => calls.reduce((sum, { cost }) => sum + work(cost), 0);

/** Whoever asked may not have begun to wait when the device fails. */
function heeded<T>(results: Promise<T>): Promise<T> {
  results.catch(() => undefined);
  return results;
}

/**
 * A batch in equal pieces of every so manyth image each, and which images they are. A balanced batch is sorted by
 * domain and class, and each piece has its share of both, so that batch normalisation sees in it what it would see in
 * the batch.
 */
export function interleaved(
  batch: TrainingBatch,
  parts: number,
): { readonly piece: TrainingBatch; readonly rows: Uint32Array }[] {
  const { step, images, transforms, domains, labels } = batch;
  const count = labels.length;
  return Array.from({ length: parts }, (_, part) => {
    const rows = Uint32Array.from({ length: count / parts }, (__, index) => index * parts + part);
    const gather = <T extends Uint8Array | Uint32Array | Float32Array>(values: T): T => {
      const each = values.length / count;
      const gathered = new (values.constructor as new (length: number) => T)(each * rows.length);
      rows.forEach((row, index) => gathered.set(values.subarray(row * each, (row + 1) * each), index * each));
      return gathered;
    };
    return {
      rows,
      piece: {
        step,
        images: gather(images),
        transforms: gather(transforms),
        domains: gather(domains),
        labels: gather(labels),
      },
    };
  });
}

/** A batch in equal pieces, images in their order; no value is copied. */
export function splitBatch(
  { step, images, transforms, domains, labels }: TrainingBatch,
  parts: number,
): TrainingBatch[] {
  const piece = <T extends Uint8Array | Uint32Array | Float32Array>(values: T, index: number): T =>
    values.subarray((index * values.length) / parts, ((index + 1) * values.length) / parts) as T;
  return Array.from({ length: parts }, (_, index) => ({
    step,
    images: piece(images, index),
    transforms: piece(transforms, index),
    domains: piece(domains, index),
    labels: piece(labels, index),
  }));
}

function meanOf(results: readonly StepResults[]): StepResults {
  return Object.fromEntries(
    Object.keys(results[0]).map((name) => [
      name,
      results[0][name].map(
        (_, index) => results.reduce((sum, result) => sum + result[name][index], 0) / results.length,
      ),
    ]),
  );
}
