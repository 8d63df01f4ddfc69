/** A training on the user's classes: running, paused, or interrupted. */
import type { Dataset } from '../../src/data/dataset.ts';
import { DeviceLostError } from '../../src/gpu/errors.ts';
import type { ModelFile } from '../../src/models/model-file.ts';
import type { LogEntry } from '../../src/training/log.ts';
import type { RetrievalTraining } from '../../src/training/recipe.ts';
import { trainRetrieval } from '../../src/training/run.ts';
import type { OpenModels } from './open-models.ts';
import { ownDataset, ownRecipe, whyUseless, type OwnClass, type UnreadablePicture } from './own-training.ts';

/** Steps between the checkpoints to which a lost device falls back. */
const CHECKPOINT_STEPS = 10;

export interface TrainingReport {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
}

export interface TrainingOutcome {
  readonly stopped: boolean;
  readonly stepsDone: number;
  readonly checksum: string;
  /** Pictures that were passed over. */
  readonly unreadable: readonly UnreadablePicture[];
  /** Why the model is no better than what it started from, where it is not. */
  readonly useless: string | undefined;
}

/** A training that is under way, paused, or ended by an error; one that is done is forgotten. */
interface Training {
  readonly dataset: Dataset;
  readonly settings: RetrievalTraining;
  readonly start: { readonly file: ModelFile; readonly name: string };
  readonly unreadable: readonly UnreadablePicture[];
  /** The loss of every step that was done. */
  readonly losses: number[];
  checkpoint?: ModelFile;
}

export class TrainingSession {
  private training: Training | undefined;
  private pausing = new AbortController();

  constructor(private readonly models: OpenModels) {}

  /** Fine-tunes a model on the user's classes, until the last step or `pause`. */
  async train(
    checksum: string,
    classes: readonly OwnClass[],
    { steps, learningRate }: { readonly steps: number; readonly learningRate: number },
    onReport: (report: TrainingReport) => void,
    onNote: (note: string) => void,
  ): Promise<TrainingOutcome> {
    const { file, summary } = this.models.model(checksum);
    this.training = undefined;
    this.pausing = new AbortController();
    const { dataset, unreadable } = await ownDataset(classes, summary, onNote);
    const settings = ownRecipe(file, summary.imageSize, dataset, steps, learningRate);
    this.training = { dataset, unreadable, settings, losses: [], start: { file, name: summary.name } };
    return this.runTraining(this.training, onReport, onNote);
  }

  /**
   * Goes on with the training that was paused, as if it had not been. A lost device is opened again, and the training
   * then goes on from its last checkpoint. After any other error it can go on from there when it is asked to.
   * @throws DeviceLostError where the device was lost twice without a checkpoint in between
   */
  async continueTraining(
    onReport: (report: TrainingReport) => void,
    onNote: (note: string) => void,
  ): Promise<TrainingOutcome> {
    if (this.training === undefined) throw new Error('there is no training to go on with');
    this.pausing = new AbortController();
    return this.runTraining(this.training, onReport, onNote);
  }

  private async runTraining(
    running: Training,
    onReport: (report: TrainingReport) => void,
    onNote: (note: string) => void,
  ): Promise<TrainingOutcome> {
    const { dataset, settings, start, losses } = running;
    const onLog = (entry: LogEntry): void => {
      if (entry.event !== 'step') return;
      losses[entry.step] = entry.loss;
      onReport({ step: entry.step, steps: settings.steps, loss: entry.loss });
    };
    let lostAt: number | undefined;
    for (;;) {
      try {
        const { checkpoint } = running;
        const trained = await this.models.exclusively(async () => {
          this.models.letGo();
          return trainRetrieval({
            device: await this.models.open(),
            dataset,
            training: settings,
            start,
            resume: checkpoint && { file: checkpoint, name: 'the training that was interrupted' },
            checkpointEvery: CHECKPOINT_STEPS,
            onLog,
            onProgress: (_, done, total) => this.models.onCompiled?.(done, total),
            onCheckpoint: async ({ file: saved }) => void (running.checkpoint = saved),
            signal: this.pausing.signal,
          });
        });
        trained.model.storage.destroy();
        if (!trained.stopped) this.training = undefined;
        return this.outcome(running, trained.file, trained.stopped);
      } catch (error) {
        if (!(error instanceof DeviceLostError)) throw error;
        this.models.forgetDevice();
        const step = running.checkpoint?.step ?? 0;
        // A step that costs the device each time would do so for ever.
        if (step === lostAt) throw error;
        lostAt = step;
        onNote(`The graphics device was lost. The training goes on from step ${step} on a new one.`);
      }
    }
  }

  /** The last checkpoint of a training that is not done, if there is one: `continueTraining` goes on from it. */
  interrupted(): TrainingOutcome | undefined {
    const { training } = this;
    return training?.checkpoint && this.outcome(training, training.checkpoint, true);
  }

  /** Ends the training after the steps that are under way, with a checkpoint. */
  pause(): void {
    this.pausing.abort();
  }

  private outcome({ start, losses, unreadable }: Training, file: ModelFile, stopped: boolean): TrainingOutcome {
    // What has the same weights keeps its name.
    if (!this.models.has(file.checksum)) this.models.keep(file, `${start.name}, trained here for ${file.step} steps`);
    return {
      stopped,
      stepsDone: file.step,
      checksum: file.checksum,
      unreadable,
      useless: whyUseless(file, losses.slice(0, file.step)),
    };
  }
}
