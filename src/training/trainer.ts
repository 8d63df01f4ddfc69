import type { MemoryReport } from '../autodiff/memory.ts';
import type { Feeds } from '../autodiff/program.ts';
import type { TrainingBatch } from '../data/loader.ts';
import type { Span } from '../gpu/profiler.ts';
import type { TrainingUpdate } from '../nn/training-update.ts';
import { learningRateAt, type Schedule } from './schedule.ts';
import { stepRunner } from './step-runner.ts';
import type { StepOptions, StepResults, StepRunner } from './step-programs.ts';

/** What a step reports. */
export interface StepReport {
  /** Counted from 0. */
  readonly step: number;
  readonly learningRate: number;
  readonly loss: number;
  /**
   * In f16: the loss scale after the step, whether its gradients overflowed so that it was skipped, and how many steps
   * were in all.
   */
  readonly lossScale?: number;
  readonly skipped?: boolean;
  readonly skippedSteps?: number;
  /** The objective's reported values by name. */
  readonly values: Readonly<Record<string, number>>;
}

/** A loss scale below which gradients do not overflow for its sake. */
const LEAST_LOSS_SCALE = 1;

/**
 * A loss or a gradient that is not finite, for which no loss scale is to blame. The weights are as before the step; the
 * last checkpoint is untouched.
 */
export class NonFiniteError extends Error {
  override readonly name = 'NonFiniteError';
  readonly step: number;
  constructor(step: number, what: string) {
    super(
      `step ${step}: ${what}. The step changed no weight. Lower the learning rate, or look at this step's images; the last checkpoint is as good as before.`,
    );
    this.step = step;
  }
}

/** What a trainer needs: an objective, an optimizer and a schedule. */
export interface TrainerOptions extends StepOptions {
  readonly schedule: Schedule;
  /** Steps of the whole training, which the schedule spans. */
  readonly steps: number;
  /** Called as soon as the device has a step's work. */
  readonly onSubmit?: () => void;
}

interface Pending {
  readonly batch: TrainingBatch;
  readonly learningRate: number;
  readonly ofUpdate: Feeds;
  readonly results: Promise<StepResults>;
}

/** Runs submitted before the first of them is waited for: the device always has the next step queued. */
const STEPS_AHEAD = 2;

/** Minimizes an objective: one submission a step (a few with micro-batches), losses read a step or two late. */
export class Trainer {
  readonly update: TrainingUpdate;
  /** What the training holds on the device, and what was chosen to keep to the budget. */
  readonly memory: MemoryReport;
  private readonly runner: StepRunner;
  private readonly options: TrainerOptions;
  private completed: number;

  private constructor(runner: StepRunner, options: TrainerOptions) {
    this.update = runner.update;
    this.memory = runner.report;
    this.runner = runner;
    this.options = options;
    this.completed = 0;
  }

  /** @throws MemoryBudgetError where the budget is too small for anything that there is to choose */
  static async create(options: TrainerOptions): Promise<Trainer> {
    return new Trainer(await stepRunner(options), options);
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
   * Trains on the batches until they end or `stop` says so, which is asked after each step; all submitted steps are
   * done when this returns. Batches must go on at `step`. In f16 a step whose gradients overflow under the loss scale
   * is skipped; its report says so.
   * @throws NonFiniteError with the step and the op
   */
  async train(
    batches: AsyncIterable<TrainingBatch>,
    onStep: (report: StepReport) => void | Promise<void>,
    stop: () => boolean = () => false,
  ): Promise<void> {
    const pending: Pending[] = [];
    const finish = async (): Promise<void> => {
      const oldest = pending.shift();
      if (oldest !== undefined) await onStep(await this.report(oldest));
    };
    for await (const batch of batches) {
      const learningRate = learningRateAt(this.options.schedule, batch.step, this.options.steps);
      const ofUpdate = this.update.feeds(learningRate, batch.step + 1);
      const { results } = await this.runner.submit(batch, ofUpdate);
      this.options.onSubmit?.();
      this.completed = batch.step + 1;
      pending.push({ batch, learningRate, ofUpdate, results });
      if (pending.length > STEPS_AHEAD) await finish();
      if (stop()) break;
    }
    while (pending.length > 0) await finish();
  }

  /** Runs a step on a batch with every dispatch timed. It is a step like any other, but for its place in the count. */
  async profile(batch: TrainingBatch): Promise<readonly Span[]> {
    return this.runner.profile(batch, this.update.feeds(this.options.schedule.learningRate, this.completed + 1));
  }

  private async report({ batch, learningRate, ofUpdate, results }: Pending): Promise<StepReport> {
    const { step } = batch;
    const outputs = await results;
    const loss = outputs.loss[0];
    const nonFiniteGradients = new Uint32Array(outputs.gate.buffer)[0];
    const scaling = outputs.lossScale && {
      lossScale: outputs.lossScale[0],
      skipped: nonFiniteGradients > 0,
      skippedSteps: outputs.lossScaleSteps[1],
    };
    // Under loss scaling an overflow is a matter of course, unless there is nothing left to take back of the scale.
    const overflow = scaling !== undefined && scaling.lossScale >= LEAST_LOSS_SCALE;
    if ((nonFiniteGradients > 0 && !overflow) || !Number.isFinite(loss)) {
      const found = await this.runner.findNonFinite(batch, ofUpdate);
      const where =
        found === null
          ? 'repeating the step with the weights as they are now did not show where it began'
          : `it begins in ${found.label}, operand ${found.operand}, element ${found.element}, which is ${found.value}`;
      throw new NonFiniteError(
        step,
        `the loss is ${loss} and ${nonFiniteGradients} elements of the gradients are not finite; ${where}`,
      );
    }
    const values: Record<string, number> = {};
    for (const [name, { names }] of Object.entries(this.options.objective.reported)) {
      names.forEach((element, index) => (values[element] = outputs[name][index]));
    }
    return { step, learningRate, loss, ...scaling, values };
  }

  /** Frees the programs and their buffers. The weights stay in their storage. */
  destroy(): void {
    this.runner.destroy();
  }
}
