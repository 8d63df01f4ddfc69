import type { MemoryReport } from '../autodiff/memory.ts';
import type { Json } from '../models/model-file.ts';
import type { CollapseWarning } from './collapse.ts';
import type { StepReport } from './trainer.ts';

/** One line of the log. */
export type LogEntry =
  /**
   * Where the weights come from: the file's, those that it lacks with how they were drawn, and what of the file has no
   * place.
   */
  | {
      readonly event: 'weights';
      readonly file: string;
      readonly loaded: readonly string[];
      readonly initialised: Readonly<Record<string, string>>;
      readonly unused: readonly string[];
    }
  | {
      readonly event: 'start';
      readonly stepsDone: number;
      readonly steps: number;
      readonly settings: Json;
      readonly data: Json;
      readonly adapter: string;
      readonly teacherClasses: number;
      readonly memory: MemoryReport;
      /** Kernel variants of the run that is resumed which this device cannot run. */ readonly replacedVariants: number;
    }
  /** `step` counts from 0, as in the messages of errors. */
  | ({ readonly event: 'step'; readonly imagesPerSecond: number } & StepReport)
  | ({ readonly event: 'warning'; readonly step: number } & CollapseWarning)
  | {
      readonly event: 'validation';
      readonly stepsDone: number;
      readonly mapAll: number;
      readonly precisionAt1: number;
      readonly best: boolean;
      readonly protocol: string;
    }
  | { readonly event: 'checkpoint'; readonly stepsDone: number; readonly checksum: string }
  | {
      readonly event: 'end';
      readonly stepsDone: number;
      readonly checksum: string;
      readonly stopped: boolean;
      readonly deviceBusy: number;
      readonly seconds: RunTimes;
    };

/** Where the time went, in seconds. */
export interface RunTimes {
  /** Planning and compiling, and the teacher's knowledge. */
  readonly preparation: number;
  readonly steps: number;
  readonly validation: number;
  readonly checkpoints: number;
}
