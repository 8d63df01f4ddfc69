import { Program, type Feeds, type ProgramOptions, type Results } from '../autodiff/program.ts';
import type { DeviceStorage } from '../autodiff/device-storage.ts';
import type { TrainingUpdate } from './training-update.ts';

/** A compiled training step: forward, backward and update. It counts its runs, which Adam and LAMB depend on. */
export class TrainingStep<Name extends string> {
  readonly program: Program<Name>;
  private readonly update: TrainingUpdate;
  private done = 0;

  private constructor(program: Program<Name>, update: TrainingUpdate) {
    this.program = program;
    this.update = update;
  }

  /**
   * Plans and compiles a step: forward, backward and update.
   * @param update of `trainingUpdate`
   * @param options as of a program; `outputs` are returned by each run
   */
  static async compile<Name extends string>(
    storage: DeviceStorage,
    update: TrainingUpdate,
    options: Omit<ProgramOptions<Name>, 'updates' | 'frozen'>,
  ): Promise<TrainingStep<Name>> {
    return new TrainingStep(await Program.compile(storage, { ...options, updates: update.updates }), update);
  }

  /** Runs so far. */
  get stepsDone(): number {
    return this.done;
  }

  /**
   * Runs the step. Weights do not change where a gradient is not finite.
   * @param feeds the inputs of the graph, by name
   * @param learningRate of this step, at least 0
   * @throws RangeError where the learning rate is negative or not finite
   */
  async run(feeds: Feeds, learningRate: number): Promise<Results<Name>> {
    if (!(learningRate >= 0 && learningRate < Infinity))
      throw new RangeError(`a learning rate of ${learningRate}; use a finite number of at least 0`);
    return this.program.run({ ...feeds, ...this.update.feeds(learningRate, ++this.done) });
  }

  /** Releases the program; the storage stays. */
  destroy(): void {
    this.program.destroy();
  }
}
