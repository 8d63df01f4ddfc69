import { RecordedChoices, type Chooser, type Choices } from '../autodiff/choices.ts';
import { MemoryBudgetError, type MemoryReport } from '../autodiff/memory.ts';
import { Storage } from '../autodiff/storage.ts';
import { augmentationTransforms, DEFAULT_AUGMENTATION, type Augmentation } from '../data/augmentation.ts';
import type { Dataset } from '../data/dataset.ts';
import { batches, type TrainingBatch } from '../data/loader.ts';
import { balancedSampler } from '../data/sampler.ts';
import type { Device } from '../gpu/device.ts';
import { Occupancy } from '../gpu/occupancy.ts';
import type { Span } from '../gpu/profiler.ts';
import { DEFAULT_NETWORK_SETTINGS } from '../nn/layers.ts';
import { adamSettings, sgdSettings, type OptimizerSettings } from '../nn/optimizers.ts';
import { IMAGENET_PIXELS, type PixelNormalization } from '../nn/pixels.ts';
import { DEFAULT_RESNET50 } from '../nn/resnet.ts';
import { Classifier, RetrievalNetwork, type RetrievalNetworkSettings } from '../nn/retrieval-network.ts';
import { describeInitial, initializeNetwork, writeState, type LoadReport, type State, type StateTensor } from '../nn/state.ts';
import { captureCheckpoint, CheckpointError, restoreCheckpoint, type Json, type ModelFile } from './checkpoint.ts';
import { atCutoff, evaluateNetwork, validationTask } from './evaluation.ts';
import { classKnowledge, retrievalStateFrom, teacherRows } from './knowledge.ts';
import { describeModel, EMBEDDING_BATCH, imageRows, loadState, modelEmbeddings, planEmbeddings, type ImageRows, type RetrievalModel } from './model.ts';
import { DEFAULT_LOSSES, retrievalObjective, type RetrievalLosses } from './objectives.ts';
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
  readonly network: Omit<RetrievalNetworkSettings, 'classes' | 'teacherClasses'>;
  readonly batchNorm: 'train' | 'frozen';
  /** P and K of method.md: a batch holds P classes, of each K sketches and K photos. */
  readonly classesPerBatch: number;
  readonly imagesPerDomain: number;
  readonly losses: RetrievalLosses;
  /** Divides the teacher's logits before their softmax. */
  readonly teacherTemperature: number;
  readonly optimizer: { readonly kind: OptimizerSettings['kind']; readonly weightDecay: number; /** Of SGD. */ readonly momentum: number };
  readonly schedule: Schedule;
  readonly augmentation: Augmentation;
}

/** The recipe of method.md, Training (a reconstruction of Tursun et al. 2022); `steps` come from the data, see `stepsOfEpochs`. */
export const PAPER_RECIPE: Omit<RetrievalTraining, 'steps'> = {
  seed: 0,
  imageSize: 224,
  pixels: IMAGENET_PIXELS,
  network: { ...DEFAULT_RESNET50, ...DEFAULT_NETWORK_SETTINGS, embedding: 512 },
  batchNorm: 'train',
  classesPerBatch: 12,
  imagesPerDomain: 2,
  losses: DEFAULT_LOSSES,
  teacherTemperature: 1,
  optimizer: { kind: 'adam', weightDecay: 5e-4, momentum: 0.9 },
  schedule: { learningRate: 1e-4, warmupSteps: 0, decay: 'exponential', final: 0.001 },
  augmentation: DEFAULT_AUGMENTATION,
};
export const PAPER_EPOCHS = 20;

/** Steps in which as many images are drawn from the larger domain as it has. */
export function stepsPerEpoch({ train }: Dataset, { classesPerBatch, imagesPerDomain }: Pick<RetrievalTraining, 'classesPerBatch' | 'imagesPerDomain'>): number {
  const sketches = train.filter(({ domain }) => domain === 'sketch').length;
  return Math.ceil(Math.max(sketches, train.length - sketches) / (classesPerBatch * imagesPerDomain));
}

/** One line of the log. */
export type LogEntry =
  /** Where the weights come from: the file's, those that it lacks with how they were drawn, and what of the file has no place. */
  | { readonly event: 'weights'; readonly file: string; readonly loaded: readonly string[]; readonly initialised: Readonly<Record<string, string>>; readonly unused: readonly string[] }
  | { readonly event: 'start'; readonly stepsDone: number; readonly steps: number; readonly settings: Json; readonly data: Json; readonly adapter: string; readonly teacherClasses: number; readonly memory: MemoryReport; /** Kernel variants of the run that is resumed which this device cannot run. */ readonly replacedVariants: number }
  /** `step` counts from 0, as in the messages of errors. */
  | ({ readonly event: 'step'; readonly imagesPerSecond: number } & StepReport)
  | { readonly event: 'validation'; readonly stepsDone: number; readonly mapAll: number; readonly precisionAt1: number; readonly best: boolean }
  | { readonly event: 'checkpoint'; readonly stepsDone: number; readonly checksum: string }
  | { readonly event: 'end'; readonly stepsDone: number; readonly checksum: string; readonly stopped: boolean; readonly deviceBusy: number; readonly seconds: RunTimes };

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
  /** Chooses the variants of kernels; a resumed run keeps to those that it began with. Default: what each kernel prefers. */
  readonly chooser?: Chooser;
  readonly dataset: Dataset;
  readonly training: RetrievalTraining;
  /** Weights to start from: a retrieval model's, or a classifier's, which then is the teacher too. Default: random ones. */
  readonly start?: { readonly file: ModelFile; readonly name: string; /** Tensors that were left out when the file was read, for the log. */ readonly unused?: readonly string[] };
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
  /** Bytes of device memory that training and validation may hold, parameters and moments included; what does not fit is recomputed. */
  readonly memoryBudget?: number;
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
const KNOWLEDGE = 'knowledge';
/** Of a memory budget, for what validation computes. */
const VALIDATION_SHARE = 1 / 16;
/** Steps over which the rate of images is averaged. */
const RATE_WINDOW = 10;

/**
 * Trains a retrieval network with the three losses of Tursun et al. (2022). What a step does depends on the settings, the
 * data, the seed and the step's number alone, so that a resumed run equals one that was never interrupted.
 *
 * Without a teacher (random starting weights, or a model that has none) the knowledge preservation loss is left out.
 * @throws NonFiniteError where a loss or gradient is not finite; what was given to `onCheckpoint` before is good
 * @throws CheckpointError, StateMismatchError, DatasetError where weights, checkpoint or data do not fit
 */
export async function trainRetrieval(options: TrainRetrievalOptions): Promise<TrainedRetrieval> {
  const { device, dataset, training, resume, onLog, onProgress, signal } = options;
  const clock = new Stopwatch();
  const stopping = (): boolean => signal?.aborted === true;
  const { seed, steps, imageSize, classesPerBatch, imagesPerDomain, schedule } = training;
  const settings = JSON.parse(JSON.stringify(training)) as Json;
  const data = await describeData(dataset);
  if (resume !== undefined) requireSameRun(resume, { settings, data });

  const choices = new RecordedChoices(options.chooser, choicesIn(resume?.file));
  const storage = new Storage(device, choices);
  let trainer: Trainer | undefined;
  let validation: ImageRows | undefined;
  let stream: AsyncGenerator<TrainingBatch, void, undefined> | undefined;
  let succeeded = false;
  try {
    const { network, knowledge, report } = await prepareNetwork(options, storage);
    const { teacherClasses } = network.retrieval;
    const model: RetrievalModel = { network, storage, imageSize, pixels: training.pixels };
    const sampler = balancedSampler(dataset, { classesPerBatch, imagesPerDomain, seed });
    const shape = { count: sampler.batchSize, sourceSize: imageSize, size: imageSize, pixels: training.pixels };
    const objective = retrievalObjective(network, shape, training.losses, knowledge?.values, training.batchNorm);
    const task = validationTask(dataset);
    const validating = task.queries.length > 0 && options.validateEvery !== undefined;
    let validationBatch = validating ? await validationBatchWithin(model, Math.min(EMBEDDING_BATCH, task.gallery.length), options.memoryBudget) : 0;
    const occupancy = new Occupancy(device);
    const createTrainer = async (): Promise<Trainer> =>
      Trainer.create({
        storage,
        objective,
        optimizer: optimizerOf(training),
        schedule,
        steps,
        memoryBudget: options.memoryBudget,
        beside: validating ? [await planEmbeddings(model, validationBatch)] : [],
        onProgress: (done, total) => onProgress?.('pipelines', done, total),
        onSubmit: () => occupancy.submitted(),
      });
    trainer = await createTrainer().catch((error: unknown) => {
      if (!(error instanceof MemoryBudgetError) || validationBatch <= 1) throw error;
      // The last resort: then validation needs next to nothing.
      validationBatch = 1;
      return createTrainer();
    });
    if (resume !== undefined) restoreCheckpoint(resume.file, trainer, network, storage);
    clock.lap('preparation');

    let best = bestOf(resume?.file);
    const tables = new Map(knowledge === undefined ? [] : [[KNOWLEDGE, knowledge]]);
    const capture = async (running: Trainer): Promise<ModelFile> => {
      const about = { ...options.about, ...describeModel(network.retrieval, training), classes: [...dataset.seenClasses], unseenClasses: [...dataset.unseenClasses], settings, data, best, variants: Object.fromEntries(choices.record) };
      return captureCheckpoint(running, network, storage, about, tables);
    };
    if (report !== undefined) onLog?.({ event: 'weights', ...report });
    onLog?.({ event: 'start', stepsDone: trainer.step, steps, settings, data, adapter: adapterName(device), teacherClasses, memory: trainer.memory, replacedVariants: choices.replaced });

    const rate = new Rate(sampler.batchSize);
    const transforms = (domains: Uint32Array, step: number): Float32Array =>
      augmentationTransforms(domains, { seed, step, sourceSize: imageSize, outputSize: imageSize, augmentation: training.augmentation });
    stream = batches({ sampler, images: dataset.images, sourceSize: imageSize, transforms, from: trainer.step, to: steps });
    let file: ModelFile | undefined;
    while (trainer.step < steps && !stopping()) {
      const { validateEvery = Infinity, checkpointEvery = Infinity } = options;
      const until = Math.min(steps, nextMultiple(trainer.step, validateEvery), nextMultiple(trainer.step, checkpointEvery));
      rate.restart();
      await trainer.train(
        take(stream, until - trainer.step),
        (report) => onLog?.({ event: 'step', ...report, imagesPerSecond: rate.next() }),
        stopping,
      );
      await device.idle();
      clock.lap('steps');

      const reached = trainer.step;
      const last = reached === steps || stopping();
      let isBest = false;
      if (validating && (reached % validateEvery === 0 || reached === steps)) {
        validation ??= await modelEmbeddings(model, validationBatch);
        const { metrics } = await evaluateNetwork(validation, task, dataset.images, { cutoffs: [1], onProgress: (done, total) => onProgress?.('validation', done, total) });
        isBest = best === null || metrics.mapAll > best.mapAll;
        if (isBest) best = { stepsDone: reached, mapAll: metrics.mapAll };
        onLog?.({ event: 'validation', stepsDone: reached, mapAll: metrics.mapAll, precisionAt1: atCutoff(metrics, 'precision', 1), best: isBest });
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
    file ??= await capture(trainer);

    const stepsDone = trainer.step;
    const stopped = stepsDone < steps;
    const seconds = clock.seconds;
    const deviceBusy = seconds.steps === 0 ? 0 : Math.min(1, occupancy.busy / 1000 / seconds.steps);
    onLog?.({ event: 'end', stepsDone, checksum: file.checksum, stopped, deviceBusy, seconds });
    const profile = options.profile === true ? await profileStep(trainer, sampler, dataset, training) : undefined;
    // The profiled step was a step: back to the weights that were saved.
    if (profile !== undefined) writeState(network, storage, file.state);
    succeeded = true;
    return { model, file, stepsDone, stopped, deviceBusy, seconds, profile };
  } finally {
    await stream?.return();
    validation?.destroy();
    trainer?.destroy();
    if (!succeeded) storage.destroy();
  }
}

/** Images that validation sees at once: fewer than it would where its intermediates took more than a share of the budget. */
async function validationBatchWithin(model: RetrievalModel, most: number, memoryBudget = Infinity): Promise<number> {
  let batch = most;
  while (batch > 1 && (await planEmbeddings(model, batch)).arenaBytes > VALIDATION_SHARE * memoryBudget) batch = Math.floor(batch / 2);
  return batch;
}

/** The network with its starting weights, and the teacher's knowledge where there is a teacher. */
async function prepareNetwork(
  { device, chooser, dataset, training, start, resume, onProgress }: TrainRetrievalOptions,
  storage: Storage,
): Promise<{ readonly network: RetrievalNetwork; readonly knowledge: StateTensor | undefined; readonly report?: Omit<Extract<LogEntry, { event: 'weights' }>, 'event'> }> {
  const classes = dataset.seenClasses.length;
  const build = (teacherClasses: number): RetrievalNetwork => new RetrievalNetwork({ ...training.network, classes, teacherClasses });
  // A resumed run takes all weights from its checkpoint, the teacher's knowledge included.
  if (resume !== undefined) {
    const knowledge = resume.file.tables.get(KNOWLEDGE);
    const network = build(knowledge?.shape[1] ?? 0);
    loadState(network, storage, resume.file.state, resume.name);
    return { network, knowledge };
  }
  const preserves = training.losses.preservation > 0;
  const fromClassifier = start?.file.state.has('fc.weight') === true;
  const sameClasses = JSON.stringify(start?.file.about.classes) === JSON.stringify(dataset.seenClasses);
  let state = start?.file.state;
  let knowledge = preserves && sameClasses ? start?.file.tables.get(KNOWLEDGE) : undefined;
  if (start !== undefined && fromClassifier) {
    if (preserves) knowledge = await teacherKnowledge(device, chooser, dataset, training, start, (done, total) => onProgress?.('teacher', done, total));
    const known = start.file.about.classes;
    const rows = Array.isArray(known) ? teacherRows(dataset.seenClasses, known as readonly string[]) : undefined;
    state = retrievalStateFrom(start.file.state, training.network.embedding, rows);
  }

  const network = build(knowledge?.shape[1] ?? 0);
  await initializeNetwork(network, storage, training.seed);
  if (start === undefined || state === undefined) return { network, knowledge };
  const starting = withoutOldHeads(network, state, sameClasses || fromClassifier);
  // Others' files may lack anything, which then is as it was drawn; ours are whole, but for the head of new classes.
  const partial = start.file.about.kind === PRETRAINED || ((name: string) => name.startsWith('classifier.'));
  return { network, knowledge, report: { file: start.name, ...describeLoad(network, loadState(network, storage, starting, start.name, { partial })), unused: start.unused ?? [] } };
}

function describeLoad(network: RetrievalNetwork, { loaded, missing }: LoadReport): { readonly loaded: readonly string[]; readonly initialised: Readonly<Record<string, string>> } {
  return { loaded, initialised: Object.fromEntries(missing.map((name) => [name, describeInitial(network, name)])) };
}

/**
 * A starting state made to fit: the head of the trained classes is new unless the state has one for these very classes
 * (a retrieval model of the same classes, or a teacher that knows them all), and the teacher's head goes where there is no knowledge to preserve. All else must fit as it is.
 */
function withoutOldHeads(network: RetrievalNetwork, state: State, keepClassifier: boolean): State {
  const dropped = [...(keepClassifier ? [] : ['classifier.']), ...(network.retrieval.teacherClasses === 0 ? ['teacher.'] : [])];
  return new Map([...state].filter(([name]) => !dropped.some((start) => name.startsWith(start))));
}

/** For each seen class what the teacher sees in its photos, [classes, teacher classes] (method.md, Semantic knowledge preservation). */
async function teacherKnowledge(
  device: Device,
  chooser: Chooser | undefined,
  { seenClasses, train, images }: Dataset,
  training: RetrievalTraining,
  { file: { state }, name }: NonNullable<TrainRetrievalOptions['start']>,
  onProgress: (done: number, total: number) => void,
): Promise<StateTensor> {
  const photos = train.filter(({ domain }) => domain === 'photo');
  const teacherClasses = state.get('fc.weight')?.shape[0] ?? 0;
  const storage = new Storage(device, chooser);
  const teacher = new Classifier({ ...training.network, classes: teacherClasses });
  let rows: ImageRows | undefined;
  try {
    loadState(teacher, storage, state, name);
    rows = await imageRows(storage, training, (input) => teacher.apply(input, 'eval').logits);
    const logits = await rows.compute(photos, images, (done) => onProgress(done, photos.length));
    const labelOf = new Map(seenClasses.map((className, label) => [className, label]));
    const labels = Uint32Array.from(photos, ({ className }) => labelOf.get(className) as number);
    return { shape: [seenClasses.length, teacherClasses], values: classKnowledge(logits, labels, seenClasses.length, training.teacherTemperature) };
  } finally {
    rows?.destroy();
    storage.destroy();
  }
}

function optimizerOf({ optimizer: { kind, weightDecay, momentum } }: RetrievalTraining): OptimizerSettings {
  return kind === 'sgd' ? sgdSettings(weightDecay, momentum) : adamSettings(weightDecay, kind);
}

/** What identifies the training data, wherever it lies: counts, and a digest over domain, class and last part of each name. */
async function describeData({ name, seenClasses, train, validation }: Dataset): Promise<{ readonly [name: string]: Json }> {
  const lines = [...train, ...validation].map((sample) => `${sample.domain}/${sample.className}/${sample.name.split(/[\\/]/).at(-1)}`);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(lines.join('\n'))));
  const fingerprint = [...digest.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return { name, classes: seenClasses.length, images: train.length, validationSketches: validation.length, fingerprint };
}

/** @throws CheckpointError that lists every setting in which a checkpoint differs from the run that is to go on from it */
function requireSameRun({ file, name }: { readonly file: ModelFile; readonly name: string }, now: { readonly settings: Json; readonly data: Json }): void {
  if (file.about.settings === undefined || file.moments.size === 0) {
    throw new CheckpointError(`${name} holds a model for use, and no state of a training; start a new training from its weights instead (--weights)`);
  }
  const before = flatten({ settings: file.about.settings, data: file.about.data ?? null });
  const after = flatten(now);
  before.delete('data.name');
  after.delete('data.name');
  const different = [...new Set([...before.keys(), ...after.keys()])].filter((key) => before.get(key) !== after.get(key));
  if (different.length > 0) {
    const lines = different.map((key) => `${key}: ${before.get(key) ?? 'nothing'} then, ${after.get(key) ?? 'nothing'} now`);
    throw new CheckpointError(`${name} was trained otherwise, so it cannot be resumed as it was (start a new training from its weights instead, with --weights):\n  ${lines.join('\n  ')}`);
  }
}

function flatten(value: Json, prefix = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Map([[prefix, JSON.stringify(value)]]);
  return new Map(Object.entries(value).flatMap(([key, inner]) => [...flatten(inner, prefix === '' ? key : `${prefix}.${key}`)]));
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
  const transforms = (domains: Uint32Array): Float32Array => augmentationTransforms(domains, { seed: 0, step: 0, sourceSize: imageSize, outputSize: imageSize });
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
  readonly seconds: { -readonly [name in keyof RunTimes]: number } = { preparation: 0, steps: 0, validation: 0, checkpoints: 0 };
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
