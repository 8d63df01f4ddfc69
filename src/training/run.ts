import { canonicalJson, RecordedSelection, type VariantSelector, type Choices } from '../autodiff/choices.ts';
import { MemoryBudgetError, type MemoryReport } from '../autodiff/memory.ts';
import { DeviceStorage } from '../autodiff/device-storage.ts';
import type { AppearanceAugmentation } from '../data/appearance.ts';
import { augmentationTransforms, DEFAULT_AUGMENTATION, type Augmentation } from '../data/augmentation.ts';
import { classKey } from '../data/class-names.ts';
import type { Dataset } from '../data/dataset.ts';
import type { SketchFraming } from '../data/sketch-framing.ts';
import { batches, type TrainingBatch } from '../data/loader.ts';
import { balancedSampler } from '../data/sampler.ts';
import type { SourceWeights } from '../data/sources.ts';
import { isJsonObject } from '../formats/untrusted.ts';
import type { Device } from '../gpu/device.ts';
import { Occupancy } from '../gpu/occupancy.ts';
import type { Span } from '../gpu/profiler.ts';
import { DEFAULT_NETWORK_SETTINGS } from '../nn/layers.ts';
import { optimizerSettings, type OptimizerKind, type OptimizerSettings } from '../nn/optimizers/index.ts';
import type { ParameterGroup } from '../nn/optimizers/optimizer.ts';
import { IMAGENET_PIXELS, type PixelNormalization } from '../nn/pixels.ts';
import { DEFAULT_BACKBONE_SHAPE } from '../nn/backbones/index.ts';
import {
  Classifier,
  RetrievalNetwork,
  withStatisticsFor,
  type RetrievalNetworkSettings,
} from '../nn/retrieval-network.ts';
import { beginAverage } from '../nn/weight-average.ts';
import {
  describeInitial,
  initializeNetwork,
  readState,
  writeState,
  type LoadReport,
  type State,
  type StateTensor,
} from '../nn/state.ts';
import { captureCheckpoint, CheckpointError, restoreCheckpoint, type Json, type ModelFile } from './checkpoint.ts';
import { knownRows } from './class-rows.ts';
import { CollapseWatch, type CollapseWarning } from './collapse.ts';
import { distill, teacherClassesOf, teacherNetwork } from './distillation.ts';
import { atCutoff, evaluateNetwork, validationTask } from './evaluation.ts';
import { contentsFingerprint, fingerprint } from './fingerprint.ts';
import { DEFAULT_READING, retrievalStateFrom, teacherRows, type KnowledgeReading } from './knowledge.ts';
import { KnowledgeError, knowledgeOf, type Knowledge } from './knowledge-file.ts';
import {
  describeModel,
  EMBEDDING_BATCH,
  loadState,
  modelEmbeddings,
  planEmbeddings,
  type ImageRows,
  type RetrievalModel,
} from './model.ts';
import type { Precision } from './batch-input.ts';
import { DEFAULT_LOSSES, retrievalObjective, type RetrievalLosses, type TeacherSignal } from './objectives.ts';
import type { Schedule } from './schedule.ts';
import { Trainer, type StepReport } from './trainer.ts';
import { PRETRAINED } from './weights.ts';

/** All that decides the numbers of a training, besides its data and its starting weights. */
export interface RetrievalTraining {
  /** Of data order, augmentation, mining and new weights; u32. */
  readonly seed: number;
  readonly steps: number;
  /** Side of the images in pixels. */
  readonly imageSize: number;
  readonly pixels: PixelNormalization;
  /**
   * How the data's sketches are laid out; `whole` if left out. Kept in the model, so that it is searched with sketches
   * laid out so.
   */
  readonly sketches?: SketchFraming;
  readonly network: Omit<RetrievalNetworkSettings, 'classes' | 'teacherClasses'>;
  readonly batchNorm: 'train' | 'frozen';
  /**
   * Stages of the backbone whose weights and running statistics stay those of the start, 0 to 4; the stem counts to the
   * first.
   */
  readonly frozenStages: number;
  /** P and K of method.md: a batch holds P classes, of each K sketches and K photos. */
  readonly classesPerBatch: number;
  readonly imagesPerDomain: number;
  /**
   * How often each source of images is drawn from, relative to the others that a class and domain has; 1 for those left
   * out. Only where samples name their source.
   */
  readonly sourceWeights?: SourceWeights;
  /** How often the classes of a source come in a pass of the sampler, at least 1; once where nothing is said. */
  readonly sourceRepeats?: Readonly<Record<string, number>>;
  /** The probability with which a picture comes with the sketch simulated of it; 0 where nothing is said. */
  readonly pairedSketches?: number;
  readonly losses: RetrievalLosses;
  readonly teacher: TeacherSettings;
  /**
   * How a classifier's weights become the embedding's and the teacher head's: by its singular vectors, or not at all.
   */
  readonly embeddingStart: 'svd' | 'random';
  readonly optimizer: {
    readonly kind: OptimizerKind;
    readonly weightDecay: number;
    /** Parameters that the weight decay acts on: all, or weights alone, not biases and batch normalisation's. */
    readonly decayed: 'all' | 'weights';
    /** Times the learning rate, for the backbone's parameters; 0 keeps them as they are. */
    readonly trunkRate: number;
    /** Of the optimizers that have one: SGD and LARS. */
    readonly momentum: number;
  };
  readonly schedule: Schedule;
  /**
   * The decay of an exponential moving average of the weights (see `averageDecay`), which then is what validation
   * measures and what the model is; 0 or left out for none.
   */
  readonly emaDecay?: number;
  readonly augmentation: Augmentation;
  /** Changes of colours, and parts erased; none where nothing is said. */
  readonly appearance?: AppearanceAugmentation;
  /** How activations and their gradients are stored; f32 if left out. f16 needs an adapter with `shader-f16`. */
  readonly precision?: Precision;
}

/** How the teacher's knowledge gets into training (method.md, Semantic knowledge preservation). */
export interface TeacherSettings {
  /**
   * `class-oriented` is prepared once; `online` runs the teacher on the images of every step, as the baseline of SAKE
   * does.
   */
  readonly kind: TeacherSignal['kind'];
  /** The online teacher says softmax(logits / temperature) of each image, and has no mean. */
  readonly reading: KnowledgeReading;
  /** Photos of a class that a class-oriented teacher sees, drawn by the seed; 0 for all. */
  readonly photosPerClass: number;
}

/**
 * The recipe of method.md, Training (a reconstruction of Tursun et al. 2022); `steps` come from the data, see
 * `stepsOfEpochs`.
 */
export const PAPER_RECIPE: Omit<RetrievalTraining, 'steps'> = {
  seed: 0,
  imageSize: 224,
  pixels: IMAGENET_PIXELS,
  network: { ...DEFAULT_BACKBONE_SHAPE, ...DEFAULT_NETWORK_SETTINGS, embedding: 512, classifier: 'linear' },
  batchNorm: 'train',
  frozenStages: 0,
  classesPerBatch: 12,
  imagesPerDomain: 2,
  losses: DEFAULT_LOSSES,
  teacher: { kind: 'class-oriented', reading: DEFAULT_READING, photosPerClass: 0 },
  embeddingStart: 'svd',
  optimizer: { kind: 'adam', weightDecay: 5e-4, decayed: 'all', trunkRate: 1, momentum: 0.9 },
  schedule: { learningRate: 1e-4, warmupSteps: 0, decay: 'exponential', final: 0.001, stepsAtARate: 1 },
  augmentation: DEFAULT_AUGMENTATION,
};
export const PAPER_EPOCHS = 20;

/** Steps in which as many images are drawn from the larger domain as it has. */
export function stepsPerEpoch(
  { train }: Dataset,
  { classesPerBatch, imagesPerDomain }: Pick<RetrievalTraining, 'classesPerBatch' | 'imagesPerDomain'>,
): number {
  const sketches = train.filter(({ domain }) => domain === 'sketch').length;
  return Math.ceil(Math.max(sketches, train.length - sketches) / (classesPerBatch * imagesPerDomain));
}

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

/** A state to keep. */
export interface Checkpoint {
  readonly file: ModelFile;
  /** Whether validation has never been better. */
  readonly best: boolean;
  /** Whether the training ends with it, done or stopped. */
  readonly last: boolean;
}

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

/** Name of the teacher's knowledge among a checkpoint's tables. */
export const KNOWLEDGE = 'knowledge';
/** Of a memory budget, for what validation computes. */
const VALIDATION_SHARE = 1 / 16;
/** Parameters that a state of ours may lack. */
const HEADS = /^(embedding|classifier|teacher)\./;
/** Steps over which the rate of images is averaged. */
const RATE_WINDOW = 10;

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
  const { device, dataset, training, resume, onLog, onProgress, signal } = options;
  const clock = new Stopwatch();
  const stopping = (): boolean => signal?.aborted === true;
  const {
    seed,
    steps,
    imageSize,
    classesPerBatch,
    imagesPerDomain,
    sourceWeights,
    sourceRepeats,
    pairedSketches,
    schedule,
    precision,
  } = training;
  const settings = JSON.parse(JSON.stringify(training)) as Json;
  const data = await describeData(dataset);
  if (resume !== undefined) {
    requireSameRun(resume, { settings, data });
    requireSameParts(resume, options.microBatches);
  }

  const choices = new RecordedSelection(options.selector, choicesIn(resume?.file));
  const storage = new DeviceStorage(device, choices);
  let trainer: Trainer | undefined;
  let validation: ImageRows | undefined;
  let stream: AsyncGenerator<TrainingBatch, void, undefined> | undefined;
  let succeeded = false;
  try {
    const { network, knowledge, signal: teacherSignal, teacher, report } = await prepareNetwork(options, storage);
    const { teacherClasses } = network.retrieval;
    const average = averageOf(training, network);
    if (average !== undefined) await beginAverage(average, network, storage);
    const networks = { network, average: average?.network };
    const model: RetrievalModel = {
      network: average?.network ?? network,
      storage,
      imageSize,
      pixels: training.pixels,
      precision,
    };
    const sampler = balancedSampler(dataset, {
      classesPerBatch,
      imagesPerDomain,
      seed,
      sourceWeights,
      sourceRepeats,
      pairedSketches,
    });
    const shape = {
      count: sampler.batchSize,
      sourceSize: imageSize,
      size: imageSize,
      pixels: training.pixels,
      precision,
    };
    const objective = retrievalObjective(
      network,
      shape,
      training.losses,
      teacherSignal,
      training.batchNorm,
      training.frozenStages,
    );
    const task = validationTask(dataset);
    const validating = task.queries.length > 0 && options.validateEvery !== undefined;
    let validationBatch = validating
      ? await validationBatchWithin(model, Math.min(EMBEDDING_BATCH, task.gallery.length), options.memoryBudget)
      : 0;
    const occupancy = new Occupancy(device);
    const createTrainer = async (): Promise<Trainer> =>
      Trainer.create({
        storage,
        objective,
        optimizer: optimizerOf(training, network),
        schedule,
        steps,
        memoryBudget: options.memoryBudget,
        microBatches: options.microBatches ?? partsIn(resume?.file),
        average,
        beside: validating ? await planEmbeddings(model, validationBatch) : [],
        onProgress: (done, total) => onProgress?.('pipelines', done, total),
        onSubmit: () => occupancy.submitted(),
      });
    trainer = await createTrainer().catch((error: unknown) => {
      if (!(error instanceof MemoryBudgetError) || validationBatch <= 1) throw error;
      // The last resort: then validation needs next to nothing.
      validationBatch = 1;
      return createTrainer();
    });
    if (resume !== undefined) restoreCheckpoint(resume.file, trainer, networks, storage);
    clock.lap('preparation');

    let best = bestOf(resume?.file);
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
        best,
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
      teacherClasses,
      memory: trainer.memory,
      replacedVariants: choices.replaced,
    });

    const watch = new CollapseWatch();
    const watched = (report: StepReport): void => {
      onLog?.({ event: 'step', ...report, imagesPerSecond: rate.next() });
      // Without its weight in the loss, the quadruplet loss's statistics are no concern.
      if (training.losses.quadruplet === 0 || report.step < training.losses.quadrupletStart) return;
      for (const warning of watch.see(report.values)) onLog?.({ event: 'warning', step: report.step, ...warning });
    };
    const rate = new Rate(sampler.batchSize);
    const transforms = (domains: Uint32Array, step: number): Float32Array =>
      augmentationTransforms(domains, {
        seed,
        step,
        sourceSize: imageSize,
        outputSize: imageSize,
        augmentation: training.augmentation,
      });
    stream = batches({
      sampler,
      images: dataset.images,
      sourceSize: imageSize,
      transforms,
      from: trainer.step,
      to: steps,
      seed,
      appearance: training.appearance,
    });
    let file: ModelFile | undefined;
    while (trainer.step < steps && !stopping()) {
      const { validateEvery = Infinity, checkpointEvery = Infinity } = options;
      const until = Math.min(
        steps,
        nextMultiple(trainer.step, validateEvery),
        nextMultiple(trainer.step, checkpointEvery),
      );
      rate.restart();
      await trainer.train(take(stream, until - trainer.step), watched, stopping);
      await device.idle();
      clock.lap('steps');

      const reached = trainer.step;
      const last = reached === steps || stopping();
      let isBest = false;
      if (validating && (reached % validateEvery === 0 || reached === steps)) {
        validation ??= await modelEmbeddings(model, validationBatch);
        const { metrics } = await evaluateNetwork(validation, task, dataset.images, {
          cutoffs: [1],
          on: options.memoryBudget === undefined ? storage : undefined,
          onProgress: (done, total) => onProgress?.('validation', done, total),
        });
        isBest = best === null || metrics.mapAll > best.mapAll;
        if (isBest) best = { stepsDone: reached, mapAll: metrics.mapAll };
        onLog?.({
          event: 'validation',
          stepsDone: reached,
          mapAll: metrics.mapAll,
          precisionAt1: atCutoff(metrics, 'precision', 1),
          best: isBest,
          protocol: metrics.protocol,
        });
        clock.lap('validation');
      }
      if (last || isBest || reached % checkpointEvery === 0) {
        file = await capture(trainer);
        await options.onCheckpoint?.({ file, best: isBest, last });
        onLog?.({ event: 'checkpoint', stepsDone: reached, checksum: file.checksum });
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
    const profile = options.profile === true ? await profileStep(trainer, sampler, dataset, training) : undefined;
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

/**
 * Images that validation sees at once: fewer than it would where its intermediates took more than a share of the
 * budget.
 */
async function validationBatchWithin(model: RetrievalModel, most: number, memoryBudget = Infinity): Promise<number> {
  const arenas = async (batch: number): Promise<number> =>
    (await planEmbeddings(model, batch)).reduce((sum, { arenaBytes }) => sum + arenaBytes, 0);
  let batch = most;
  while (batch > 1 && (await arenas(batch)) > VALIDATION_SHARE * memoryBudget) batch = Math.floor(batch / 2);
  return batch;
}

interface PreparedNetwork {
  readonly network: RetrievalNetwork;
  /** The table of a class-oriented teacher, which checkpoints hold. */
  readonly knowledge: StateTensor | undefined;
  readonly signal: TeacherSignal | undefined;
  /** Checksum of the teacher's weights; null without a teacher, or where it is not known. */
  readonly teacher: string | null;
  /** Of starting weights. */
  readonly report?: Omit<Extract<LogEntry, { event: 'weights' }>, 'event'>;
}

/** The network with its starting weights, and the teacher's signal where there is a teacher. */
async function prepareNetwork(options: TrainRetrievalOptions, storage: DeviceStorage): Promise<PreparedNetwork> {
  const { dataset, training, start, resume } = options;
  const classes = dataset.seenClasses.length;
  const build = (teacherClasses: number): RetrievalNetwork =>
    new RetrievalNetwork({ ...training.network, classes, teacherClasses });
  const online = training.teacher.kind === 'online' && training.losses.preservation > 0;
  // A resumed run takes all weights from its checkpoint, the teacher's knowledge included; an online teacher is not in
  // it.
  if (resume !== undefined) {
    const { state, tables, about } = resume.file;
    const knowledge = tables.get(KNOWLEDGE);
    const network = build(state.get('teacher.bias')?.shape[0] ?? 0);
    if (knowledge !== undefined) requireKnowledge(knowledge, classes, network.retrieval.teacherClasses, resume.name);
    loadState(network, storage, state, resume.name);
    const signal = online ? await onlineTeacher(options, storage, about.teacher) : signalOf(knowledge);
    return { network, knowledge, signal, teacher: typeof about.teacher === 'string' ? about.teacher : null };
  }
  const fromClassifier = start?.file.state.has('fc.weight') === true;
  const sameClasses = start !== undefined && sameClassOrder(start.file.about.classes, dataset.seenClasses);
  const { knowledge, signal, teacherClasses, teacher } = online
    ? await onlineSignal(options, storage)
    : await classOrientedSignal(options, sameClasses);

  const network = build(teacherClasses);
  await initializeNetwork(network, storage, training.seed);
  if (start === undefined) return { network, knowledge, signal, teacher };
  let { state } = start.file;
  if (fromClassifier) {
    const known = start.file.about.classes;
    const rows = Array.isArray(known) ? teacherRows(dataset.seenClasses, known as readonly string[]) : undefined;
    state =
      training.embeddingStart === 'svd' ? retrievalStateFrom(state, training.network.embedding, rows) : trunkOf(state);
  }
  const known = start.file.about.classes;
  const rows =
    !sameClasses && !fromClassifier && Array.isArray(known)
      ? knownRows(await readState(network, storage), dataset.seenClasses, state, known as readonly string[])
      : undefined;
  const starting = withStatisticsFor(
    network.retrieval,
    new Map([...withoutOldHeads(network, state, sameClasses || fromClassifier), ...(rows?.state ?? [])]),
  );
  // Others' files may lack anything, which then is as it was drawn; ours are whole, but for heads.
  const partial = start.file.about.kind === PRETRAINED || ((name: string) => HEADS.test(name));
  return {
    network,
    knowledge,
    signal,
    teacher,
    report: {
      file: start.name,
      ...describeLoad(network, loadState(network, storage, starting, start.name, { partial })),
      unused: start.unused ?? [],
    },
  };
}

/** Whether a file's classes are those of the data, in one order. */
function sameClassOrder(said: unknown, classes: readonly string[]): boolean {
  return (
    Array.isArray(said) &&
    said.length === classes.length &&
    said.every((name, label) => typeof name === 'string' && classKey(name) === classKey(classes[label]))
  );
}

/** @throws CheckpointError where a model's table of knowledge is none of these classes */
function requireKnowledge({ shape, values }: StateTensor, classes: number, teacherClasses: number, name: string): void {
  if (shape.length === 2 && shape[0] === classes && shape[1] === teacherClasses && values.every(Number.isFinite))
    return;
  throw new CheckpointError(
    `${name}: its table of knowledge is [${shape.join(', ')}], where finite values [${classes}, ${teacherClasses}] are needed; start anew from its weights (--weights) with knowledge of its own (--knowledge)`,
  );
}

function describeLoad(
  network: RetrievalNetwork,
  { loaded, missing }: LoadReport,
): { readonly loaded: readonly string[]; readonly initialised: Readonly<Record<string, string>> } {
  return { loaded, initialised: Object.fromEntries(missing.map((name) => [name, describeInitial(network, name)])) };
}

type PreparedSignal = Omit<PreparedNetwork, 'network' | 'report'> & { readonly teacherClasses: number };

const signalOf = (knowledge: StateTensor | undefined): TeacherSignal | undefined =>
  knowledge && { kind: 'class-oriented', knowledge: knowledge.values };
const trunkOf = (state: State): State => new Map([...state].filter(([name]) => !name.startsWith('fc.')));

/** Knowledge from its file, from a teacher that is asked now, or from a model that was trained with it. */
async function classOrientedSignal(
  { device, selector, dataset, training, start, teacher, knowledge: given, onProgress }: TrainRetrievalOptions,
  sameClasses: boolean,
): Promise<PreparedSignal> {
  const {
    seed,
    imageSize,
    pixels,
    network,
    losses,
    teacher: { reading, photosPerClass },
  } = training;
  const prepared = (knowledge: StateTensor, checksum: string | null): PreparedSignal => ({
    knowledge,
    signal: signalOf(knowledge),
    teacherClasses: knowledge.shape[1],
    teacher: checksum,
  });
  const startTeaches = start?.file.state.has('fc.weight') === true ? start : undefined;
  if (losses.preservation > 0 && given !== undefined) {
    const { origin } = given.file;
    if (canonicalJson(origin.reading) !== canonicalJson(reading)) {
      throw new KnowledgeError(
        `${given.name} was distilled as ${describeReading(origin.reading)}, and the training asks for ${describeReading(reading)}; distil it so, or train with what it holds`,
      );
    }
    return prepared(
      knowledgeOf(dataset.seenClasses, given.file, given.name, (teacher ?? startTeaches)?.file.checksum),
      origin.teacher,
    );
  }
  const asked = teacher ?? startTeaches;
  if (losses.preservation > 0 && asked !== undefined) {
    const settings = { reading, photosPerClass, seed, imageSize, pixels, batchSize: EMBEDDING_BATCH };
    const { table } = await distill({
      device,
      selector,
      dataset,
      teacher: asked,
      network: teacherNetwork(network, asked),
      settings,
      onProgress: (done, total) => onProgress?.('teacher', done, total),
    });
    return prepared(table, asked.file.checksum);
  }
  const kept = losses.preservation > 0 && sameClasses ? start?.file.tables.get(KNOWLEDGE) : undefined;
  if (kept !== undefined)
    requireKnowledge(kept, dataset.seenClasses.length, kept.shape[1], start?.name ?? 'the starting model');
  return kept === undefined
    ? { knowledge: undefined, signal: undefined, teacherClasses: 0, teacher: null }
    : prepared(kept, null);
}

async function onlineSignal(options: TrainRetrievalOptions, storage: DeviceStorage): Promise<PreparedSignal> {
  const signal = await onlineTeacher(options, storage);
  const { file } = teacherOf(options);
  return {
    knowledge: undefined,
    signal,
    teacherClasses: teacherClassesOf(file, 'the teacher'),
    teacher: file.checksum,
  };
}

/** The teacher on the device, for its part in every step. @param checksum that it must have */
async function onlineTeacher(
  options: TrainRetrievalOptions,
  storage: DeviceStorage,
  checksum?: Json,
): Promise<TeacherSignal> {
  const {
    training: {
      network: settings,
      teacher: { reading },
    },
  } = options;
  const { file, name } = teacherOf(options);
  if (checksum !== undefined && checksum !== file.checksum) {
    throw new KnowledgeError(
      `${name} has the checksum ${file.checksum.slice(0, 16)}, and the run was begun with the teacher ${String(checksum).slice(0, 16)}; give those weights (--teacher)`,
    );
  }
  const network = new Classifier({
    ...teacherNetwork(settings, { file, name }),
    classes: teacherClassesOf(file, name),
  });
  loadState(network, storage, file.state, name);
  return { kind: 'online', network, temperature: reading.temperature };
}

/** @throws KnowledgeError where there is no teacher */
function teacherOf({ teacher, start }: TrainRetrievalOptions): NonNullable<TrainRetrievalOptions['teacher']> {
  const found = teacher ?? (start?.file.state.has('fc.weight') === true ? start : undefined);
  if (found === undefined)
    throw new KnowledgeError(
      "an online teacher is requested, and there is none: give a classifier's weights (--teacher), or leave the preservation loss out (--loss-preservation 0)",
    );
  return found;
}

const describeReading = ({ mean, temperature }: KnowledgeReading): string =>
  `the mean of ${mean === 'softmax' ? 'softmax outputs' : 'logits'} at temperature ${temperature}`;

/**
 * A starting state made to fit: the head of the trained classes is new unless the state has one for these very classes
 * (a retrieval model of the same classes, or a teacher that knows them all), and the teacher's head goes where there is
 * no knowledge to preserve. All else must fit as it is.
 */
function withoutOldHeads(network: RetrievalNetwork, state: State, keepClassifier: boolean): State {
  const dropped = [
    ...(keepClassifier ? [] : ['classifier.']),
    ...(network.retrieval.teacherClasses === 0 ? ['teacher.'] : []),
  ];
  // A cosine classifier has no bias.
  const fits = (name: string): boolean => !name.startsWith('classifier.') || network.layouts.has(name);
  return new Map([...state].filter(([name]) => fits(name) && !dropped.some((start) => name.startsWith(start))));
}

/** The optimiser with its groups of parameters. */
export function optimizerOf(
  { frozenStages, optimizer: { kind, weightDecay, decayed, trunkRate, momentum } }: RetrievalTraining,
  { layouts, backbone }: RetrievalNetwork,
): OptimizerSettings {
  const settings = optimizerSettings(kind, weightDecay, { momentum });
  const isTrunk = (name: string): boolean => backbone.stageOf(name) !== undefined;
  const isWeight = (name: string): boolean => (layouts.get(name)?.fileShape.length ?? 0) > 1;
  const groups = [isTrunk, () => true].flatMap((ofPart, part): ParameterGroup[] => {
    const learningRate = part === 0 ? trunkRate : 1;
    const undecayed = { matches: (name: string) => ofPart(name) && !isWeight(name), learningRate, weightDecay: 0 };
    return [...(decayed === 'weights' ? [undecayed] : []), { matches: ofPart, learningRate, weightDecay }];
  });
  const isFrozen = (name: string): boolean => (backbone.stageOf(name) ?? Infinity) <= frozenStages;
  const frozen = { matches: isFrozen, learningRate: 0, weightDecay: 0 };
  return { ...settings, groups: frozenStages > 0 ? [frozen, ...groups] : groups };
}

/** A network for the average of the weights, where there shall be one. */
function averageOf(
  { emaDecay = 0 }: RetrievalTraining,
  { retrieval }: RetrievalNetwork,
): { readonly network: RetrievalNetwork; readonly decay: number } | undefined {
  return emaDecay > 0 ? { network: new RetrievalNetwork(retrieval), decay: emaDecay } : undefined;
}

/** What identifies the training data, wherever it lies: counts, and digests over its samples' names and contents. */
async function describeData({
  name,
  seenClasses,
  train,
  validation,
  images,
}: Dataset): Promise<{ readonly [name: string]: Json }> {
  const samples = [...train, ...validation];
  const contents = await contentsFingerprint(samples, images);
  return {
    name,
    classes: seenClasses.length,
    images: train.length,
    validationSketches: validation.length,
    fingerprint: await fingerprint(samples),
    ...(contents !== undefined && { contents }),
  };
}

/**
 * @throws CheckpointError that lists every setting in which a checkpoint differs from the run that is to go on from it
 */
function requireSameRun(
  { file, name }: { readonly file: ModelFile; readonly name: string },
  now: { readonly settings: Json; readonly data: Json },
): void {
  if (file.about.settings === undefined || file.moments.size === 0) {
    throw new CheckpointError(
      `${name} holds a model for use, and no state of a training; start a new training from its weights instead (--weights)`,
    );
  }
  const before = { settings: file.about.settings, data: file.about.data ?? null };
  // Earlier versions did not look into the pictures.
  const unknown = isJsonObject(before.data) && before.data.contents !== undefined ? [] : ['data.contents'];
  const lines = differences(before, now, ['data.name', ...unknown]);
  if (lines.some((line) => line.startsWith('data.contents:')))
    lines.push('(the contents of the pictures are other ones: some were changed or replaced under their old names)');
  if (lines.length > 0) {
    throw new CheckpointError(
      `${name} was trained otherwise, so it cannot be resumed as it was (start a new training from its weights instead, with --weights):\n  ${lines.join('\n  ')}`,
    );
  }
}

/** The parts that a batch came in when this checkpoint was written. */
const partsIn = (file: ModelFile | undefined): number | undefined =>
  file === undefined ? undefined : typeof file.about.microBatches === 'number' ? file.about.microBatches : 1;

/** @throws CheckpointError where a batch should come in other parts than before, which gives other numbers */
function requireSameParts(
  { file, name }: { readonly file: ModelFile; readonly name: string },
  microBatches: number | undefined,
): void {
  const before = partsIn(file);
  if (microBatches === undefined || microBatches === before) return;
  throw new CheckpointError(
    `${name} was trained with its batch in ${before} ${before === 1 ? 'part' : 'parts'}, and ${microBatches} would give other numbers; leave --accumulate out, or start a new training from its weights (--weights)`,
  );
}

/**
 * Where two descriptions differ, a line each, such as "losses.margin: 0.2 then, 0.5 now". @param ignored keys that do
 * not matter
 */
export function differences(before: Json, after: Json, ignored: readonly string[] = []): string[] {
  const [then, now] = [flatten(before), flatten(after)];
  const keys = [...new Set([...then.keys(), ...now.keys()])].filter(
    (key) => !ignored.includes(key) && then.get(key) !== now.get(key),
  );
  return keys.map((key) => `${key}: ${then.get(key) ?? 'nothing'} then, ${now.get(key) ?? 'nothing'} now`);
}

function flatten(value: Json, prefix = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return new Map([[prefix, JSON.stringify(value)]]);
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => [...flatten(inner, prefix === '' ? key : `${prefix}.${key}`)]),
  );
}

/** The variants that a run was begun with. They are what makes its numbers the same again to the last bit. */
function choicesIn(file: ModelFile | undefined): Choices {
  const variants = file?.about.variants;
  if (typeof variants !== 'object' || variants === null || Array.isArray(variants)) return new Map();
  return new Map(Object.entries(variants).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

function bestOf(file: ModelFile | undefined): { readonly stepsDone: number; readonly mapAll: number } | null {
  const best = file?.about.best;
  if (typeof best !== 'object' || best === null || !('mapAll' in best)) return null;
  const { stepsDone, mapAll } = best;
  return typeof stepsDone === 'number' && typeof mapAll === 'number' ? { stepsDone, mapAll } : null;
}

async function profileStep(
  trainer: Trainer,
  sampler: Parameters<typeof batches>[0]['sampler'],
  { images }: Dataset,
  { imageSize }: RetrievalTraining,
): Promise<readonly Span[]> {
  const transforms = (domains: Uint32Array): Float32Array =>
    augmentationTransforms(domains, { seed: 0, step: 0, sourceSize: imageSize, outputSize: imageSize });
  for await (const batch of batches({ sampler, images, sourceSize: imageSize, transforms, to: 1 })) {
    return trainer.profile(batch);
  }
  return [];
}

/** The next `count` items; what comes after them stays for the next taker, already read ahead. */
async function* take<T>(stream: AsyncGenerator<T, void, undefined>, count: number): AsyncGenerator<T, void, undefined> {
  for (let taken = 0; taken < count; taken++) {
    const { value, done } = await stream.next();
    if (done === true) return;
    yield value;
  }
}

/** Infinity for a multiple of Infinity. */
const nextMultiple = (value: number, of: number): number => (Math.floor(value / of) + 1) * of;

function adapterName({ description }: Device): string {
  return [description.device, description.description].filter(Boolean).join(', ');
}

/** Adds up the time between laps under a name each. */
class Stopwatch {
  readonly seconds: { -readonly [name in keyof RunTimes]: number } = {
    preparation: 0,
    steps: 0,
    validation: 0,
    checkpoints: 0,
  };
  private since = performance.now();

  lap(name: keyof RunTimes): void {
    const now = performance.now();
    this.seconds[name] += (now - this.since) / 1000;
    this.since = now;
  }
}

/** Images a second over the last steps. */
class Rate {
  private readonly batchSize: number;
  private times: number[] = [];

  constructor(batchSize: number) {
    this.batchSize = batchSize;
  }

  /** Leaves out the time since the last step, in which other things were done. */
  restart(): void {
    this.times = [performance.now()];
  }

  next(): number {
    this.times = [...this.times.slice(-RATE_WINDOW), performance.now()];
    return ((this.times.length - 1) * this.batchSize * 1000) / (this.times[this.times.length - 1] - this.times[0]);
  }
}
