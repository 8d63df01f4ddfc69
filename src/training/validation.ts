import type { Dataset } from '../data/dataset.ts';
import { atCutoff, evaluateNetwork, validationTask, type RetrievalTask } from '../models/evaluation.ts';
import { EMBEDDING_BATCH, modelEmbeddings, planEmbeddings, type ImageRows } from '../models/image-rows.ts';
import type { RetrievalModel } from '../models/retrieval-model.ts';
import type { BestValidation } from './resume.ts';
import type { TrainRetrievalOptions } from './run-options.ts';

/** The largest share of a memory budget that the intermediates of validation may take. */
const MEMORY_SHARE = 1 / 16;

/** Measures a network in training on the held-out sketches, and remembers its best result. */
export class Validation {
  /** The best result so far, those of the resumed run included; null where there is none. */
  best: BestValidation | null;
  private readonly model: RetrievalModel;
  private readonly task: RetrievalTask;
  private readonly images: Dataset['images'];
  private readonly options: TrainRetrievalOptions;
  /** Images that it computes at once. */
  private batch = 0;
  private rows: ImageRows | undefined;

  private constructor(model: RetrievalModel, options: TrainRetrievalOptions, best: BestValidation | null) {
    this.model = model;
    this.task = validationTask(options.dataset);
    this.images = options.dataset.images;
    this.options = options;
    this.best = best;
  }

  static async create(
    model: RetrievalModel,
    options: TrainRetrievalOptions,
    best: BestValidation | null,
  ): Promise<Validation> {
    const validation = new Validation(model, options, best);
    if (validation.active) validation.batch = await validation.batchWithin(options.memoryBudget);
    return validation;
  }

  /** Whether there is anything to measure, and an interval was given. */
  get active(): boolean {
    return this.task.queries.length > 0 && this.options.validateEvery !== undefined;
  }

  /** Whether it is to run after so many steps of the training. */
  due(stepsDone: number): boolean {
    const { validateEvery = Infinity, training } = this.options;
    return this.active && (stepsDone % validateEvery === 0 || stepsDone === training.steps);
  }

  /** The plans of its programs, which need memory beside the training's. */
  plans(): ReturnType<typeof planEmbeddings> | [] {
    return this.active ? planEmbeddings(this.model, this.batch) : [];
  }

  /** Computes one image at a time, which needs the least memory. @returns whether that is a change */
  shrink(): boolean {
    if (this.batch <= 1) return false;
    this.batch = 1;
    return true;
  }

  /** Measures the network and logs the result. @returns whether it is the best so far */
  async measure(stepsDone: number): Promise<boolean> {
    const { memoryBudget, onLog, onProgress } = this.options;
    this.rows ??= await modelEmbeddings(this.model, this.batch);
    const { metrics } = await evaluateNetwork(this.rows, this.task, this.images, {
      cutoffs: [1],
      on: memoryBudget === undefined ? this.model.storage : undefined,
      onProgress: (done, total) => onProgress?.('validation', done, total),
    });
    const best = this.best === null || metrics.mapAll > this.best.mapAll;
    if (best) this.best = { stepsDone, mapAll: metrics.mapAll };
    onLog?.({
      event: 'validation',
      stepsDone,
      mapAll: metrics.mapAll,
      precisionAt1: atCutoff(metrics, 'precision', 1),
      best,
      protocol: metrics.protocol,
    });
    return best;
  }

  destroy(): void {
    this.rows?.destroy();
  }

  /** Halves the batch until its intermediates fit in their share of the budget. */
  private async batchWithin(memoryBudget = Infinity): Promise<number> {
    const arenas = async (batch: number): Promise<number> =>
      (await planEmbeddings(this.model, batch)).reduce((sum, { arenaBytes }) => sum + arenaBytes, 0);
    let batch = Math.min(EMBEDDING_BATCH, this.task.gallery.length);
    while (batch > 1 && (await arenas(batch)) > MEMORY_SHARE * memoryBudget) batch = Math.floor(batch / 2);
    return batch;
  }
}
