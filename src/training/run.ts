import { RecordedSelection } from '../autodiff/variant-selector.ts';
import { DeviceStorage } from '../autodiff/device-storage.ts';
import { MemoryBudgetError } from '../autodiff/memory.ts';
import type { TrainingBatch } from '../data/loader.ts';
import type { Device } from '../gpu/device.ts';
import { Occupancy } from '../gpu/occupancy.ts';
import { RetrievalNetwork } from '../nn/retrieval-network.ts';
import { writeState } from '../nn/state.ts';
import { beginAverage } from '../nn/weight-average.ts';
import type { Json, ModelFile } from '../models/model-file.ts';
import { captureCheckpoint, restoreCheckpoint } from './checkpoint.ts';
import { CollapseWatch } from './collapse.ts';
import { describeData } from './fingerprint.ts';
import { describeModel, type RetrievalModel } from '../models/retrieval-model.ts';
import { retrievalObjective } from './objectives.ts';
import type { Objective } from './objective.ts';
import { optimizerOf } from './parameter-groups.ts';
import type { RetrievalTraining } from './recipe.ts';
import { bestIn, choicesIn, partsIn, requireSameParts, requireSameRun } from './resume.ts';
import type { TrainedRetrieval, TrainRetrievalOptions } from './run-options.ts';
import { prepareNetwork } from './starting-network.ts';
import { Rate, Stopwatch } from './stopwatch.ts';
import { KNOWLEDGE } from './teacher-signal.ts';
import { Trainer, type StepReport } from './trainer.ts';
import { take, TrainingBatches } from './training-batches.ts';
import { Validation } from './validation.ts';

/**
 * Trains a retrieval network with the three losses of Tursun et al. (2022). What a step does depends on the settings,
 * the data, the seed and the step's number alone, so that a resumed run equals one that was never interrupted.
 *
 * Without a teacher (random starting weights, or a model that has none) the knowledge preservation loss is left out.
 * @throws NonFiniteError where a loss or gradient is not finite; what was given to `onCheckpoint` before is good
 * @throws CheckpointError, StateMismatchError, DatasetError where weights, checkpoint or data do not fit
 * @throws MemoryBudgetError, MicroBatchError where there is no such training
 */
export async function trainRetrieval(options: TrainRetrievalOptions): Promise<TrainedRetrieval> {
  const { device, dataset, training, resume, onLog, signal } = options;
  const { steps } = training;
  const { validateEvery = Infinity, checkpointEvery = Infinity } = options;
  const clock = new Stopwatch();
  const stopping = (): boolean => signal?.aborted === true;
  const settings = JSON.parse(JSON.stringify(training)) as Json;
  const data = await describeData(dataset);
  if (resume !== undefined) {
    requireSameRun(resume, { settings, data });
    requireSameParts(resume, options.microBatches);
  }

  const choices = new RecordedSelection(options.selector, choicesIn(resume?.file));
  const storage = new DeviceStorage(device, choices);
  let trainer: Trainer | undefined;
  let validation: Validation | undefined;
  let stream: AsyncGenerator<TrainingBatch, void, undefined> | undefined;
  let succeeded = false;
  try {
    const { network, knowledge, signal: teacherSignal, teacher, report } = await prepareNetwork(options, storage);
    const average = averageOf(training, network);
    if (average !== undefined) await beginAverage(average, network, storage);
    const networks = { network, average: average?.network };
    const { imageSize, pixels, precision, views } = training;
    const model: RetrievalModel = {
      network: average?.network ?? network,
      storage,
      imageSize,
      pixels,
      precision,
      views,
    };
    const batches = new TrainingBatches(dataset, training);
    const { batchSize } = batches.sampler;
    const objective = retrievalObjective(
      network,
      { count: batchSize, sourceSize: imageSize, size: imageSize, pixels, precision },
      training.losses,
      teacherSignal,
      training.batchNorm,
      training.frozenStages,
    );
    const measured = (validation = await Validation.create(model, options, bestIn(resume?.file)));
    const occupancy = new Occupancy(device);
    trainer = await createTrainer(options, { network, average, storage, objective, validation: measured, occupancy });
    if (resume !== undefined) restoreCheckpoint(resume.file, trainer, networks, storage);
    clock.lap('preparation');

    const tables = new Map(knowledge === undefined ? [] : [[KNOWLEDGE, knowledge]]);
    const capture = async (running: Trainer): Promise<ModelFile> => {
      const about = {
        ...options.about,
        ...describeModel(network.retrieval, training),
        classes: [...dataset.seenClasses],
        unseenClasses: [...dataset.unseenClasses],
        settings,
        data,
        teacher,
        best: measured.best && { ...measured.best },
        microBatches: running.memory.microBatches,
        variants: Object.fromEntries(choices.record),
      };
      return captureCheckpoint(running, networks, storage, about, tables);
    };
    if (report !== undefined) onLog?.({ event: 'weights', ...report });
    onLog?.({
      event: 'start',
      stepsDone: trainer.step,
      steps,
      settings,
      data,
      adapter: adapterName(device),
      teacherClasses: network.retrieval.teacherClasses,
      memory: trainer.memory,
      replacedVariants: choices.replaced,
    });

    const rate = new Rate(batchSize);
    const onStep = stepLogger(options, rate);
    stream = batches.from(trainer.step);
    let file: ModelFile | undefined;
    while (trainer.step < steps && !stopping()) {
      const until = Math.min(
        steps,
        nextMultiple(trainer.step, validateEvery),
        nextMultiple(trainer.step, checkpointEvery),
      );
      rate.restart();
      await trainer.train(take(stream, until - trainer.step), onStep, stopping);
      await device.idle();
      clock.lap('steps');

      const stepsDone = trainer.step;
      const last = stepsDone === steps || stopping();
      let best = false;
      if (validation.due(stepsDone)) {
        best = await validation.measure(stepsDone);
        clock.lap('validation');
      }
      if (last || best || stepsDone % checkpointEvery === 0) {
        file = await capture(trainer);
        await options.onCheckpoint?.({ file, best, last });
        onLog?.({ event: 'checkpoint', stepsDone, checksum: file.checksum });
        clock.lap('checkpoints');
      }
    }
    // Nothing was left to do: the run was resumed at its end, or stopped before its first step.
    if (file === undefined) {
      file = await capture(trainer);
      // Killed right after its last checkpoint, the run may have left no model.
      if (resume !== undefined && trainer.step === steps)
        await options.onCheckpoint?.({ file, best: false, last: true });
    }

    const stepsDone = trainer.step;
    const stopped = stepsDone < steps;
    const seconds = clock.seconds;
    const deviceBusy = seconds.steps === 0 ? 0 : Math.min(1, occupancy.busy / 1000 / seconds.steps);
    onLog?.({ event: 'end', stepsDone, checksum: file.checksum, stopped, deviceBusy, seconds });
    const profiled = options.profile === true ? await batches.first() : undefined;
    const profile = profiled && (await trainer.profile(profiled));
    // The profiled step was a step: back to the weights that were saved.
    if (profile !== undefined) writeState(model.network, storage, file.state);
    succeeded = true;
    return { model, file, stepsDone, stopped, deviceBusy, seconds, profile };
  } finally {
    await stream?.return();
    validation?.destroy();
    trainer?.destroy();
    if (!succeeded) storage.destroy();
  }
}

/** A network for the average of the weights, where the training has one. */
function averageOf(
  { emaDecay = 0 }: RetrievalTraining,
  { retrieval }: RetrievalNetwork,
): { readonly network: RetrievalNetwork; readonly decay: number } | undefined {
  return emaDecay > 0 ? { network: new RetrievalNetwork(retrieval), decay: emaDecay } : undefined;
}

/** The trainer, beside which validation has room within the memory budget. */
async function createTrainer(
  { training, memoryBudget, microBatches, resume, onProgress }: TrainRetrievalOptions,
  {
    network,
    average,
    storage,
    objective,
    validation,
    occupancy,
  }: {
    readonly network: RetrievalNetwork;
    readonly average: ReturnType<typeof averageOf>;
    readonly storage: DeviceStorage;
    readonly objective: Objective;
    readonly validation: Validation;
    readonly occupancy: Occupancy;
  },
): Promise<Trainer> {
  const create = async (): Promise<Trainer> =>
    Trainer.create({
      storage,
      objective,
      optimizer: optimizerOf(training, network),
      schedule: training.schedule,
      steps: training.steps,
      memoryBudget,
      microBatches: microBatches ?? partsIn(resume?.file),
      average,
      beside: await validation.plans(),
      onProgress: (done, total) => onProgress?.('pipelines', done, total),
      onSubmit: () => occupancy.submitted(),
    });
  return create().catch((error: unknown) => {
    // The last resort: then validation needs next to nothing.
    if (error instanceof MemoryBudgetError && validation.shrink()) return create();
    throw error;
  });
}

/** Logs each step with its rate, and warns of a collapse. */
function stepLogger({ training: { losses }, onLog }: TrainRetrievalOptions, rate: Rate): (report: StepReport) => void {
  const watch = new CollapseWatch();
  return (report) => {
    onLog?.({ event: 'step', ...report, imagesPerSecond: rate.next() });
    // Without its weight in the loss, the quadruplet loss's statistics are no concern.
    if (losses.quadruplet === 0 || report.step < losses.quadrupletStart) return;
    for (const warning of watch.see(report.values)) onLog?.({ event: 'warning', step: report.step, ...warning });
  };
}

/** The smallest multiple above a value; Infinity for a multiple of Infinity. */
const nextMultiple = (value: number, of: number): number => (Math.floor(value / of) + 1) * of;

function adapterName({ description }: Device): string {
  return [description.device, description.description].filter(Boolean).join(', ');
}
