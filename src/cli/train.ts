import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describeMemory, MemoryBudgetError } from '../autodiff/memory.ts';
import type { Device } from '../gpu/device.ts';
import type { Span } from '../gpu/profiler.ts';
import { IMAGENET_PIXELS, pixelNormalization } from '../nn/pixels.ts';
import { absentConvolutions } from '../nn/pretrained.ts';
import { ensureAdapter, openDevice } from '../platform/adapter.ts';
import type { Json } from '../training/checkpoint.ts';
import { describeWeights } from './weights-report.ts';
import { PAPER_EPOCHS, PAPER_RECIPE, stepsPerEpoch, trainRetrieval, type LogEntry, type RetrievalTraining, type TrainedRetrieval } from '../training/run.ts';
import { defineCommand, SHARED_OPTIONS } from './command.ts';
import { DATA_OPTIONS, openData, VALIDATION_OPTION } from './data.ts';
import { optionsOfWeights, parseInputOption, readModelFile, readWeightsFile, WEIGHTS_OPTIONS } from './model-file.ts';
import { bytes, choice, integer, number, OptionError, optionName, resolveOptions, text, type OptionValues } from './options.ts';
import { formatSeconds, note, Progress } from './progress.ts';
import { findCheckpoint, RunFolder } from './run-folder.ts';
import { checkTuning, openTuner, TUNING_OPTIONS } from './tuning.ts';

const recipe = PAPER_RECIPE;
const LARGEST_U32 = 2 ** 32 - 1;

export const TRAIN_OPTIONS = {
  ...DATA_OPTIONS,
  validation: VALIDATION_OPTION,
  out: text({ placeholder: 'folder', changeable: true, help: 'Where checkpoints and log.jsonl go (default: runs/train-<date>, or the resumed run\'s folder)' }),
  seed: integer({ minimum: 0, maximum: LARGEST_U32, default: recipe.seed, help: 'Seed of splits, data order, augmentation and new weights' }),
  epochs: integer({ minimum: 1, default: PAPER_EPOCHS, help: 'Passes over as many images as the larger domain has' }),
  steps: integer({ minimum: 1, help: 'Training steps, in place of epochs' }),
  classesPerBatch: integer({ minimum: 2, default: recipe.classesPerBatch, help: 'P: classes in a batch, which holds P x (K sketches + K photos)' }),
  imagesPerDomain: integer({ minimum: 1, default: recipe.imagesPerDomain, help: 'K: sketches, and photos, of each class in a batch' }),
  lossQuadruplet: number({ minimum: 0, default: recipe.losses.quadruplet, help: 'Weight of the domain-balanced quadruplet loss' }),
  lossClassification: number({ minimum: 0, default: recipe.losses.classification, help: 'Weight of the classification loss' }),
  lossPreservation: number({ minimum: 0, default: recipe.losses.preservation, help: "Weight of the knowledge preservation loss; without a teacher in --weights it is left out" }),
  margin: number({ minimum: 0, default: recipe.losses.margin, help: 'Margin of the quadruplet loss, as a distance between embeddings of length 1' }),
  mining: choice(['hardest', 'semi-hard', 'random'], { default: recipe.losses.mining, help: 'How the quadruplet loss picks its positives and negatives in the batch' }),
  quadrupletStart: integer({ minimum: 0, default: recipe.losses.quadrupletStart, help: 'Steps before the quadruplet loss sets in; from random weights it collapses without some' }),
  quadrupletRamp: integer({ minimum: 0, default: recipe.losses.quadrupletRamp, help: 'Steps over which its weight then rises' }),
  optimizer: choice(['adam', 'adamw', 'sgd'], { default: recipe.optimizer.kind, help: 'adam adds the weight decay to the gradient, adamw takes it off the weights' }),
  learningRate: number({ above: 0, default: recipe.schedule.learningRate, help: 'Learning rate where the schedule begins' }),
  weightDecay: number({ minimum: 0, default: recipe.optimizer.weightDecay, help: 'Weight decay' }),
  momentum: number({ minimum: 0, maximum: 1, default: recipe.optimizer.momentum, help: 'Momentum of sgd' }),
  schedule: choice(['constant', 'exponential', 'cosine'], { default: recipe.schedule.decay, help: 'How the learning rate falls' }),
  finalRate: number({ minimum: 0, maximum: 1, default: recipe.schedule.final, help: 'The share of the learning rate that is left in the end' }),
  warmup: integer({ minimum: 0, default: recipe.schedule.warmupSteps, help: 'Steps over which the learning rate rises at the beginning' }),
  augmentation: number({ minimum: 0, maximum: 1, default: recipe.augmentation.probability, help: 'Share of the images that are flipped, scaled, turned or shifted' }),
  batchNorm: choice(['train', 'frozen'], { default: recipe.batchNorm, help: "Normalise by each batch's statistics, or by the running ones of the starting weights" }),
  size: integer({ minimum: 32, maximum: 1024, default: recipe.imageSize, help: 'Side of the images, in pixels' }),
  width: number({ above: 0, maximum: 4, default: recipe.network.width, help: "Multiplies ResNet50's numbers of channels, in quarters; 1 is the network of the paper, and weights say their own" }),
  embedding: integer({ minimum: 1, maximum: 4096, default: recipe.network.embedding, help: 'Components of an embedding' }),
  stride: choice(['v1.5', 'v1'], { default: recipe.network.stride, help: "Where ResNet50 halves the image: in the 3x3 convolution (torchvision's), or in the 1x1 before it; weights may say it themselves" }),
  batchNormEpsilon: number({ above: 0, maximum: 1, default: recipe.network.batchNormEpsilon, help: 'What batch normalisation adds to the variance; weights may say it themselves' }),
  weights: text({ placeholder: 'file', help: "Starting weights: a model of ours, or a ResNet50 of torchvision's, timm's or others (.safetensors, .pth, .pt, .bin), whole or in part; one with a classifier is the teacher too. sketchgrad weights FILE shows what is in it" }),
  ...WEIGHTS_OPTIONS,
  resume: text({ placeholder: 'folder|file', changeable: true, help: "Go on with a run, from its latest checkpoint or from the one given; settings come from there" }),
  checkpointEvery: integer({ minimum: 1, default: 500, changeable: true, help: 'Steps from one checkpoint to the next' }),
  keep: integer({ minimum: 1, default: 2, changeable: true, help: 'Checkpoints that are kept, besides the best and the last' }),
  validateEvery: integer({ minimum: 1, default: 500, changeable: true, help: 'Steps from one validation to the next' }),
  memoryBudget: bytes({ changeable: true, help: 'Device memory that the training may hold, such as 900M or 2G, weights and moments included; what does not fit is computed again, at no change of any number' }),
  profile: text({ placeholder: 'file', changeable: true, help: 'Write the time of every kernel of a step to this JSON file, after the training' }),
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

type TrainValues = OptionValues<typeof TRAIN_OPTIONS>;

export const trainCommand = defineCommand({
  name: 'train',
  summary: 'Train a retrieval network; Ctrl-C saves, --resume goes on',
  options: TRAIN_OPTIONS,
  async run(_options, { given }) {
    const checkpoint = given.resume === undefined ? undefined : await findCheckpoint(given.resume as string);
    const resume = checkpoint === undefined ? undefined : { file: await readModelFile(checkpoint, '--resume'), name: checkpoint };
    const weights = resume === undefined && given.weights !== undefined ? await readWeightsFile(given.weights as string, '--weights', given) : undefined;
    const options = weights === undefined ? resolveResumed(given, resume?.file.about.options, checkpoint) : resolveOptions(TRAIN_OPTIONS, given, checkedOptions(optionsOfWeights(weights.file, given.weights as string), given.weights as string));
    if (given.steps !== undefined && given.epochs !== undefined) throw new OptionError('--steps and --epochs were both given; give one of them');
    checkTuning(options);
    await ensureAdapter(options.adapter);

    const folder = await RunFolder.open(options.out ?? (checkpoint === undefined ? path.join('runs', `train-${timestamp()}`) : path.dirname(checkpoint)), {
      keep: options.keep,
      fresh: resume === undefined,
    });
    const gone = weights?.pretrained === undefined ? [] : absentConvolutions(weights.pretrained);
    if (options.batchNorm === 'frozen' && gone.length > 0) note(`--batch-norm frozen: ${gone.length} convolutions are absent in ${String(given.weights)}, and the running statistics after them are of what is gone; --batch-norm train takes new ones`);
    const start = weights && { file: weights.file, name: given.weights as string, unused: weights.pretrained?.unused };
    const dataset = await openData({ ...options, imageSize: options.size });
    const training = trainingOf(options, options.steps ?? options.epochs * stepsPerEpoch(dataset, options));

    await folder.prepare();
    const device = await openDevice(options.adapter);
    const display = new TrainingDisplay(training);
    const stop = stopOnSignal();
    try {
      note(`${device.description.device}: ${dataset.name}, ${dataset.train.length} images of ${dataset.seenClasses.length} seen classes, ${training.imageSize} px`);
      if (dataset.validation.length === 0) note('no sketch is held out for validation (--validation), so there will be no best checkpoint');
      const trained = await trainRetrieval({
        device,
        chooser: await openTuner(device, options),
        dataset,
        training,
        start,
        resume,
        validateEvery: options.validateEvery,
        checkpointEvery: options.checkpointEvery,
        about: { options: storedOptions(options) },
        signal: stop.signal,
        memoryBudget: options.memoryBudget,
        profile: options.profile !== undefined,
        onCheckpoint: (saved) => folder.save(saved),
        onProgress: display.onProgress,
        onLog: (entry) => {
          folder.log(entry);
          display.onLog(entry);
        },
      }).catch((error: unknown) => {
        throw error instanceof MemoryBudgetError ? new OptionError(`--memory-budget: ${error.message}`, { cause: error }) : error;
      });
      display.stop();
      if (options.profile !== undefined) await writeProfile(options.profile, device, trained);
      conclude(trained, folder);
      trained.model.storage.destroy();
    } finally {
      display.stop();
      stop.release();
      device.dispose();
    }
  },
});

/** The library's settings for a command's options. */
export function trainingOf(options: Omit<TrainValues, 'adapter' | 'debug' | 'tune' | 'deterministic'>, steps: number): RetrievalTraining {
  return {
    ...recipe,
    seed: options.seed,
    steps,
    imageSize: options.size,
    augmentation: { ...recipe.augmentation, probability: options.augmentation },
    pixels: options.input === undefined ? IMAGENET_PIXELS : pixelNormalization(parseInputOption(options.input)),
    network: { ...recipe.network, width: options.width, embedding: options.embedding, stride: options.stride, batchNormEpsilon: options.batchNormEpsilon },
    batchNorm: options.batchNorm,
    classesPerBatch: options.classesPerBatch,
    imagesPerDomain: options.imagesPerDomain,
    losses: {
      quadruplet: options.lossQuadruplet,
      classification: options.lossClassification,
      preservation: options.lossPreservation,
      quadrupletStart: options.quadrupletStart,
      quadrupletRamp: options.quadrupletRamp,
      margin: options.margin,
      mining: options.mining,
    },
    optimizer: { kind: options.optimizer, weightDecay: options.weightDecay, momentum: options.momentum },
    schedule: { learningRate: options.learningRate, warmupSteps: options.warmup, decay: options.schedule, final: options.finalRate },
  };
}

/** Options out of a file, which may say anything. @throws OptionError that names the file and the option */
function checkedOptions(said: Readonly<Record<string, unknown>>, file: string): Record<string, unknown> {
  const known = Object.entries(said).filter(([key, value]) => value !== undefined && key in TRAIN_OPTIONS);
  return Object.fromEntries(known.map(([key, value]) => [key, TRAIN_OPTIONS[key as keyof typeof TRAIN_OPTIONS].check(value, `${file}, ${optionName(key)}`)]));
}

/** On resuming, the checkpoint's options stand in for the defaults, and only changeable ones may be given otherwise. */
function resolveResumed(given: Readonly<Record<string, unknown>>, stored: Json | undefined, checkpoint: string | undefined): TrainValues {
  const before: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(typeof stored === 'object' && stored !== null ? stored : {})) {
    const option = key in TRAIN_OPTIONS ? TRAIN_OPTIONS[key as keyof typeof TRAIN_OPTIONS] : undefined;
    if (option === undefined) continue;
    before[key] = option.check(value, `${checkpoint}, ${optionName(key)}`);
    if (!option.changeable && given[key] !== undefined && given[key] !== value) {
      throw new OptionError(`--${optionName(key)} ${String(given[key])}: the run was begun with ${String(value)}, and a resumed run keeps its settings. Leave the flag out, or start a new run from these weights with --weights ${checkpoint}`);
    }
  }
  return resolveOptions(TRAIN_OPTIONS, given, before);
}

/** What a resumed run needs to know of this one's options. */
export function storedOptions(options: TrainValues): Json {
  const { data, split, unseen } = options;
  const fixed = Object.entries(options).filter(([key, value]) => value !== undefined && !TRAIN_OPTIONS[key as keyof typeof TRAIN_OPTIONS].changeable);
  return { ...(Object.fromEntries(fixed) as Record<string, Json>), data, ...(split !== undefined && { split }), ...(unseen !== undefined && { unseen }) };
}

/** Aborts at Ctrl-C or SIGTERM; a second one ends the process at once, which loses no more than the steps since the last checkpoint. */
export function stopOnSignal(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    note('\nstopping: the steps under way are finished and saved (again to end at once)');
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}

/** What a training shows while it runs. */
export class TrainingDisplay {
  private readonly steps = new Progress('training');
  private readonly other = { teacher: new Progress('teacher'), pipelines: new Progress('pipelines') };
  private readonly total: number;

  constructor({ steps }: RetrievalTraining) {
    this.total = steps;
  }

  readonly onProgress = (what: 'teacher' | 'pipelines' | 'validation', done: number, total: number): void => {
    if (what === 'validation') return;
    this.other[what].update(done, total);
    if (done === total) this.other[what].stop();
  };

  readonly onLog = (entry: LogEntry): void => {
    if (entry.event === 'weights') note(describeWeights(entry));
    if (entry.event === 'start' && entry.teacherClasses === 0) note('no teacher in the starting weights: the knowledge preservation loss is left out');
    if (entry.event === 'start' && entry.replacedVariants > 0) note(`${entry.replacedVariants} kernel variants that the run was begun with are not to be had here: its numbers will not be those of an unbroken run to the last bit`);
    if (entry.event === 'start') note(describeMemory(entry.memory));
    if (entry.event === 'step') this.steps.update(entry.step + 1, this.total, describeStep(entry));
    if (entry.event === 'validation') note(`${entry.stepsDone}/${this.total} validation: mAP@all ${entry.mapAll.toFixed(4)}, P@1 ${entry.precisionAt1.toFixed(4)}${entry.best ? ', the best so far' : ''}`);
  };

  stop(): void {
    this.steps.stop();
    this.other.teacher.stop();
    this.other.pipelines.stop();
  }
}

function describeStep({ loss, values, imagesPerSecond }: Extract<LogEntry, { event: 'step' }>): string {
  const parts = ['quadruplet', 'classification', 'preservation'].filter((name) => name in values).map((name) => `${name} ${values[name].toFixed(3)}`);
  return `${imagesPerSecond.toFixed(1)} images/s  loss ${loss.toFixed(3)} (${parts.join(', ')})`;
}

function conclude({ file, stepsDone, stopped, deviceBusy, seconds }: TrainedRetrieval, folder: RunFolder): void {
  const { steps, validation, checkpoints, preparation } = seconds;
  const lines = [
    `weights after ${stepsDone} steps: checksum ${file.checksum}`,
    `time: preparation ${formatSeconds(preparation)}, steps ${formatSeconds(steps)}, validation ${formatSeconds(validation)}, checkpoints ${formatSeconds(checkpoints)}; the device had work in ${(100 * deviceBusy).toFixed(1)} % of the steps' time`,
    stopped ? `stopped; go on with: sketchgrad train --resume ${folder.path}` : `model: ${folder.file('model.safetensors')}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function writeProfile(file: string, device: Device, { profile = [], deviceBusy, seconds, stepsDone }: TrainedRetrieval): Promise<void> {
  const total = profile.reduce((sum, { duration }) => sum + duration, 0);
  const kernels = new Map<string, { dispatches: number; microseconds: number }>();
  for (const { label, duration } of profile) {
    const kernel = kernels.get(label) ?? { dispatches: 0, microseconds: 0 };
    kernels.set(label, { dispatches: kernel.dispatches + 1, microseconds: kernel.microseconds + duration });
  }
  const content = {
    adapter: device.description,
    stepsDone,
    deviceBusy,
    seconds,
    microseconds: total,
    kernels: [...kernels].map(([label, kernel]) => ({ label, ...kernel, share: kernel.microseconds / total })).sort((a, b) => b.microseconds - a.microseconds),
    dispatches: profile satisfies readonly Span[],
  };
  await writeFile(file, `${JSON.stringify(content, null, 1)}\n`);
  note(`profile of one step: ${file}`);
}

/** "2026-11-23-224501". */
export function timestamp(): string {
  return new Date().toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');
}
