/** What a training run is given, what it hands out while it runs, and what it returns. */
import type { VariantSelector } from '../autodiff/variant-selector.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Device } from '../gpu/device.ts';
import type { Span } from '../gpu/profiler.ts';
import type { Json, ModelFile } from '../models/model-file.ts';
import type { Knowledge } from './knowledge-file.ts';
import type { LogEntry, RunTimes } from './log.ts';
import type { RetrievalModel } from '../models/retrieval-model.ts';
import type { RetrievalTraining } from './recipe.ts';

/** A state to keep. */
export interface Checkpoint {
  readonly file: ModelFile;
  /** Whether validation has never been better. */
  readonly best: boolean;
  /** Whether the training ends with it, done or stopped. */
  readonly last: boolean;
}

/** What a training run needs: a device, data, settings, and what it starts from. */
export interface TrainRetrievalOptions {
  readonly device: Device;
  /**
   * Chooses the variants of kernels; a resumed run keeps to those that it began with. Default: what each kernel
   * prefers.
   */
  readonly selector?: VariantSelector;
  readonly dataset: Dataset;
  readonly training: RetrievalTraining;
  /**
   * Weights to start from: a retrieval model's, or a classifier's, which then is the teacher too. Default: random ones.
   */
  readonly start?: {
    readonly file: ModelFile;
    readonly name: string;
    /** Tensors that were left out when the file was read, for the log. */ readonly unused?: readonly string[];
  };
  /**
   * What a teacher says of each class, prepared before (see `distill`). Default: it is prepared from the starting
   * weights.
   */
  readonly knowledge?: { readonly file: Knowledge; readonly name: string };
  /**
   * A classifier's weights, where it is not the starting weights that teach; an online teacher's are needed to resume,
   * too.
   */
  readonly teacher?: { readonly file: ModelFile; readonly name: string };
  /** A checkpoint of this training to go on from, bit by bit as if it had never stopped. */
  readonly resume?: { readonly file: ModelFile; readonly name: string };
  /** Steps from one validation to the next, the end being one; default: none, and so no checkpoint is the best. */
  readonly validateEvery?: number;
  /** Steps from one checkpoint to the next; default: the end alone. */
  readonly checkpointEvery?: number;
  /** Kept in the description of every checkpoint. */
  readonly about?: Readonly<Record<string, Json>>;
  /** Receives each line of the log. */
  readonly onLog?: (entry: LogEntry) => void;
  /** Must have stored the checkpoint when its promise resolves. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => Promise<void>;
  /** Hears of the teacher's images, of compiled pipelines and of validation images. */
  readonly onProgress?: (what: 'teacher' | 'pipelines' | 'validation', done: number, total: number) => void;
  /** Where it is aborted, the training finishes its steps under way, saves and returns. */
  readonly signal?: AbortSignal;
  /**
   * Bytes of device memory that training and validation may hold, parameters and moments included; what does not fit is
   * recomputed.
   */
  readonly memoryBudget?: number;
  /**
   * Equal parts that each batch comes in, one after the other. Default: those of the run that is resumed; or as few as
   * the budget allows.
   */
  readonly microBatches?: number;
  /** Whether to time each kernel in one more step, whose effect on the weights is taken back. */
  readonly profile?: boolean;
}

/** What a training run returns. */
export interface TrainedRetrieval {
  /** On the device, until its storage is destroyed. */
  readonly model: RetrievalModel;
  readonly file: ModelFile;
  readonly stepsDone: number;
  /** Whether the signal ended it before its last step. */
  readonly stopped: boolean;
  /** The share of the steps' wall time in which the device had work. */
  readonly deviceBusy: number;
  readonly seconds: RunTimes;
  readonly profile?: readonly Span[];
}
