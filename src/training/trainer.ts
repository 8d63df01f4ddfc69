import { Program, type Feeds, type Results } from '../autodiff/program.ts';
import type { Storage } from '../autodiff/storage.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import type { TrainingBatch } from '../data/loader.ts';
import { trainingUpdate, type OptimizerSettings, type TrainingUpdate } from '../nn/optimizers.ts';
import type { Objective } from './objectives.ts';
import { learningRateAt, type Schedule } from './schedule.ts';

/** What a step reports. */
export interface StepReport {
  /** Counted from 0. */
  readonly step: number;
  readonly learningRate: number;
  readonly loss: number;
  /** The objective's reported values by name. */
  readonly values: Readonly<Record<string, number>>;
}

/** A loss or a gradient that is not finite. The weights are as before the step; the last checkpoint is untouched. */
export class NonFiniteError extends Error {
  override readonly name = 'NonFiniteError';
  readonly step: number;
  constructor(step: number, what: string) {
    super(`step ${step}: ${what}. The step changed no weight. Lower the learning rate, or look at this step's images; the last checkpoint is as good as before.`);
    this.step = step;
  }
}

export interface TrainerOptions {
  readonly storage: Storage;
  readonly objective: Objective;
  readonly optimizer: OptimizerSettings;
  readonly schedule: Schedule;
  /** Steps of the whole training, which the schedule spans. */
  readonly steps: number;
  readonly onProgress?: (done: number, total: number) => void;
  /** Called as soon as the device has a step's work. */
  readonly onSubmit?: () => void;
}

interface Pending {
  readonly step: number;
  readonly learningRate: number;
  readonly feeds: Feeds;
  readonly results: Promise<Results<string>>;
}

/** Runs submitted before the first of them is waited for: the device always has the next step at hand. */
const STEPS_AHEAD = 2;

/** Minimises an objective: one program, one submission a step, losses read a step or two late. */
export class Trainer {
  readonly program: Program;
  readonly update: TrainingUpdate;
  private readonly options: TrainerOptions;
  private completed: number;

  private constructor(program: Program, update: TrainingUpdate, options: TrainerOptions) {
    this.program = program;
    this.update = update;
    this.options = options;
    this.completed = 0;
  }

  static async create(options: TrainerOptions): Promise<Trainer> {
    const { objective, storage, optimizer, onProgress } = options;
    const update = trainingUpdate(objective.network, objective.loss, objective.batchStatistics, optimizer);
    const outputs: Record<string, Tensor> = { loss: objective.loss, gate: update.gate };
    for (const [name, { tensor }] of Object.entries(objective.reported)) outputs[name] = tensor;
    const program = await Program.compile(storage, { outputs, updates: update.updates, onProgress });
    return new Trainer(program, update, options);
  }

  /** Steps done since the beginning of the training, those before a resume included. */
  get step(): number {
    return this.completed;
  }

  /** Continues after so many steps; parameters and moments must be those after them. */
  resumeAt(step: number): void {
    this.completed = step;
  }

  /**
   * Trains on the batches until they end or `stop` says so, which is asked after each step; all submitted steps are done
   * when this returns. Batches must go on at `step`.
   * @throws NonFiniteError with the step and the op
   */
  async train(batches: AsyncIterable<TrainingBatch>, onStep: (report: StepReport) => void | Promise<void>, stop: () => boolean = () => false): Promise<void> {
    const pending: Pending[] = [];
    const finish = async (): Promise<void> => {
      const oldest = pending.shift();
      if (oldest !== undefined) await onStep(await this.report(oldest));
    };
    for await (const batch of batches) {
      const learningRate = learningRateAt(this.options.schedule, batch.step, this.options.steps);
      const feeds = { ...this.options.objective.feeds(batch), optimizer: this.update.hyper(learningRate, batch.step + 1) };
      const { results } = await this.program.submit(feeds);
      this.options.onSubmit?.();
      this.completed = batch.step + 1;
      pending.push({ step: batch.step, learningRate, feeds, results });
      if (pending.length > STEPS_AHEAD) await finish();
      if (stop()) break;
    }
    while (pending.length > 0) await finish();
  }

  private async report({ step, learningRate, feeds, results }: Pending): Promise<StepReport> {
    const outputs = await results;
    const loss = outputs.loss[0];
    const nonFiniteGradients = new Uint32Array(outputs.gate.buffer)[0];
    if (nonFiniteGradients > 0 || !Number.isFinite(loss)) {
      const found = await this.program.findNonFinite(feeds);
      const where = found === null ? 'repeating the step with the weights as they are now did not show where it began' : `it begins in ${found.label}, operand ${found.operand}, element ${found.element}, which is ${found.value}`;
      throw new NonFiniteError(step, `the loss is ${loss} and ${nonFiniteGradients} elements of the gradients are not finite; ${where}`);
    }
    const values: Record<string, number> = {};
    for (const [name, { names }] of Object.entries(this.options.objective.reported)) {
      names.forEach((element, index) => (values[element] = outputs[name][index]));
    }
    return { step, learningRate, loss, values };
  }

  destroy(): void {
    this.program.destroy();
  }
}
