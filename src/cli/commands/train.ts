import path from 'node:path';
import { describeMemory, MemoryBudgetError } from '../../autodiff/memory.ts';
import { WHITE } from '../../data/augmentation.ts';
import type { Device } from '../../gpu/device.ts';
import type { Span } from '../../gpu/profiler.ts';
import { writeFileAtomically } from '../../platform/node/files.ts';
import { ensureAdapter } from '../../platform/adapter.ts';
import { BACKBONE_NAMES, DEFAULT_BACKBONE, type BackboneName } from '../../nn/backbones/index.ts';
import { OPTIMIZER_KINDS } from '../../nn/optimizers/index.ts';
import { IMAGENET_PIXELS, pixelNormalization, type PixelNormalization } from '../../nn/pixels.ts';
import type { Json, ModelFile } from '../../training/checkpoint.ts';
import { classifierOf } from '../../training/knowledge.ts';
import { parseKnowledge, type Knowledge } from '../../training/knowledge-file.ts';
import { COSINE_TEMPERATURE } from '../../training/objectives.ts';
import type { LogEntry } from '../../training/log.ts';
import { PAPER_EPOCHS, PAPER_RECIPE, stepsPerEpoch, type RetrievalTraining } from '../../training/recipe.ts';
import { trainRetrieval } from '../../training/run.ts';
import type { TrainedRetrieval } from '../../training/run-options.ts';
import { MicroBatchError } from '../../training/step-runner.ts';
import type { StartingWeights } from '../../training/weights.ts';
import { defineCommand, SHARED_OPTIONS } from '../command.ts';
import { DATA_OPTIONS, openData, VALIDATION_OPTION } from '../files/data.ts';
import { closeCommandDevice, openCommandDevice } from '../device.ts';
import {
  optionsOfWeights,
  parseInputOption,
  readGivenFile,
  readWeightsFile,
  requireBackbone,
  requireWidth,
  WEIGHTS_OPTIONS,
} from '../files/model-file.ts';
import {
  bytes,
  choice,
  integer,
  number,
  numbersByName,
  OptionError,
  optionName,
  resolveOptions,
  text,
  type OptionValues,
} from '../options/option.ts';
import { checkPrecision, PRECISION_OPTION } from '../options/precision.ts';
import { formatSeconds, note, printText, Progress } from '../display/progress.ts';
import { findResumable, RunFolder } from '../files/run-folder.ts';
import { checkTuning, openTuner, TUNING_OPTIONS } from '../tuning.ts';
import { describeWeights } from '../display/weights-report.ts';

const recipe = PAPER_RECIPE;
const LARGEST_U32 = 2 ** 32 - 1;

export const TRAIN_OPTIONS = {
  ...DATA_OPTIONS,
  validation: VALIDATION_OPTION,
  out: text({
    placeholder: 'folder',
    changeable: true,
    help: "Where checkpoints and log.jsonl go (default: runs/train-<date>, or the resumed run's folder)",
  }),
  seed: integer({
    minimum: 0,
    maximum: LARGEST_U32,
    default: recipe.seed,
    help: 'Seed of splits, data order, augmentation and new weights',
  }),
  epochs: integer({ minimum: 1, default: PAPER_EPOCHS, help: 'Passes over as many images as the larger domain has' }),
  steps: integer({ minimum: 1, instead: 'epochs', help: 'Training steps, in place of epochs' }),
  classesPerBatch: integer({
    minimum: 2,
    default: recipe.classesPerBatch,
    help: 'P: classes in a batch, which holds P x (K sketches + K photos)',
  }),
  imagesPerDomain: integer({
    minimum: 1,
    default: recipe.imagesPerDomain,
    help: 'K: sketches, and photos, of each class in a batch',
  }),
  sourceWeights: numbersByName({
    help: 'How often each source of a data set that was put together is drawn from within a class, such as drawings=3,icons=1; 1 where nothing is said',
  }),
  sourceRepeats: numbersByName({
    help: 'How often the classes of a source come in a pass, such as drawings=3; once where nothing is said',
  }),
  pairedSketches: number({
    minimum: 0,
    maximum: 1,
    default: 0,
    help: 'Probability with which a picture comes with the sketch that was simulated of it (--pseudo-sketches, --data search), instead of any sketch of its class',
  }),
  lossQuadruplet: number({
    minimum: 0,
    default: recipe.losses.quadruplet,
    help: 'Weight of the domain-balanced quadruplet loss',
  }),
  lossClassification: number({
    minimum: 0,
    default: recipe.losses.classification,
    help: 'Weight of the classification loss',
  }),
  lossPreservation: number({
    minimum: 0,
    default: recipe.losses.preservation,
    help: 'Weight of the knowledge preservation loss; without a teacher in --weights it is left out',
  }),
  lossContrastive: number({
    minimum: 0,
    default: 0,
    help: 'Weight of the supervised contrastive loss of Khosla et al. (2020) on the embeddings; 0 for none',
  }),
  contrastiveTemperature: number({ above: 0, default: 0.1, help: 'Divides the cosines of the contrastive loss' }),
  contrastivePositives: choice(['other-domain', 'any'], {
    default: 'other-domain',
    help: "What the contrastive loss draws an image to: its class's images of the other domain, or all of its class",
  }),
  quadrupletForm: choice(['domain-balanced', 'one-hinge', 'two-pairs'], {
    default: recipe.losses.form,
    help: 'Its hinges: one a negative of either domain; both negatives in one; or those of Chen et al. (2017), the second over a pair of other classes',
  }),
  margin: number({
    minimum: 0,
    default: recipe.losses.margin,
    help: 'Margin of the quadruplet loss, as a distance between embeddings of length 1',
  }),
  secondMargin: number({
    minimum: 0,
    help: 'Margin of the second hinge of two-pairs, whose distances are squared (default: half of --margin)',
  }),
  hingeShare: number({
    minimum: 0,
    maximum: 1,
    default: recipe.losses.share,
    help: "Share of the other domain's negative in the one hinge",
  }),
  mining: choice(['hardest', 'semi-hard', 'random'], {
    default: recipe.losses.mining,
    help: 'How the quadruplet loss picks its positives and negatives in the batch',
  }),
  quadrupletStart: integer({
    minimum: 0,
    default: recipe.losses.quadrupletStart,
    help: 'Steps before the quadruplet loss sets in; from random weights it collapses without some',
  }),
  quadrupletRamp: integer({
    minimum: 0,
    default: recipe.losses.quadrupletRamp,
    help: 'Steps over which its weight then rises',
  }),
  classifier: choice(['linear', 'cosine'], {
    default: 'linear',
    help: 'Logits of the trained classes: a linear layer on the embedding, or cosines',
  }),
  classifierTemperature: number({
    above: 0,
    help: `Divides the classifier's logits (default: 1, and ${COSINE_TEMPERATURE} for cosines)`,
  }),
  labelSmoothing: number({
    minimum: 0,
    maximum: 1,
    default: 0,
    help: "The share of the classification loss's targets that is spread over all classes",
  }),
  classifierMargin: number({
    minimum: 0,
    maximum: 2,
    default: 0,
    help: 'What a cosine classifier takes off the cosine of the right class, such as 0.2 (CosFace)',
  }),
  preservedDomains: choice(['both', 'photos'], {
    default: recipe.losses.preservedDomains,
    help: 'Images whose knowledge is preserved',
  }),
  teacherMode: choice(['class-oriented', 'online'], {
    default: recipe.teacher.kind,
    help: "The teacher's knowledge of each class, prepared once, or the teacher itself on the images of every step",
  }),
  teacher: text({
    placeholder: 'file',
    help: "The teacher's weights, where they are not --weights: a classifier's, or a model that was trained here",
  }),
  knowledge: text({
    placeholder: 'file',
    help: 'The knowledge of each class that sketchgrad distill prepared; the teacher need not be asked again',
  }),
  teacherMean: choice(['softmax', 'logits'], {
    default: recipe.teacher.reading.mean,
    help: "What is averaged over a class's photos: the teacher's softmax, or its logits",
  }),
  teacherTemperature: number({
    above: 0,
    default: recipe.teacher.reading.temperature,
    help: "Divides the teacher's logits",
  }),
  teacherPhotos: integer({
    minimum: 0,
    default: recipe.teacher.photosPerClass,
    help: 'Photos of each class that the teacher sees, drawn by the seed; 0 for all',
  }),
  optimizer: choice(OPTIMIZER_KINDS, {
    default: recipe.optimizer.kind,
    help: 'adam adds the weight decay to the gradient, adamw takes it off the weights; lamb and lars scale the step of each tensor to its norm, for large batches',
  }),
  learningRate: number({
    above: 0,
    default: recipe.schedule.learningRate,
    help: 'Learning rate where the schedule begins',
  }),
  weightDecay: number({ minimum: 0, default: recipe.optimizer.weightDecay, help: 'Weight decay' }),
  decayed: choice(['all', 'weights'], {
    default: recipe.optimizer.decayed,
    help: 'Parameters that decay: all, or weights alone, not biases and batch normalisation',
  }),
  trunkRate: number({
    minimum: 0,
    default: recipe.optimizer.trunkRate,
    help: "Times the learning rate, for the backbone's own parameters; 0 keeps them as they are",
  }),
  momentum: number({ minimum: 0, maximum: 1, default: recipe.optimizer.momentum, help: 'Momentum of sgd and lars' }),
  schedule: choice(['constant', 'exponential', 'cosine', 'linear'], {
    default: recipe.schedule.decay,
    help: 'How the learning rate falls',
  }),
  finalRate: number({
    minimum: 0,
    maximum: 1,
    default: recipe.schedule.final,
    help: 'The share of the learning rate that is left in the end',
  }),
  scheduleBy: choice(['step', 'epoch'], {
    default: 'step',
    help: 'Whether the learning rate falls at every step, or between epochs',
  }),
  warmup: integer({
    minimum: 0,
    default: recipe.schedule.warmupSteps,
    help: 'Steps over which the learning rate rises at the beginning',
  }),
  emaDecay: number({
    minimum: 0,
    maximum: 1,
    default: 0,
    help: 'Decay of an exponential moving average of the weights, such as 0.999, which then is validated and saved as the model; it rises to that as (1 + step) / (10 + step); 0 for none',
  }),
  augmentation: number({
    minimum: 0,
    maximum: 1,
    default: recipe.augmentation.probability,
    help: 'Share of the images that are flipped, scaled, turned or shifted',
  }),
  augmentationParts: number({
    minimum: 0,
    maximum: 1,
    default: recipe.augmentation.partProbability,
    help: 'Probability of each of the four, where an image is augmented',
  }),
  augmentationRecolouring: number({
    minimum: 0,
    maximum: 1,
    default: 0,
    help: 'Probability that a photo becomes grey or has its colour channels permuted, so that it is told by its shape',
  }),
  augmentationErasing: number({
    minimum: 0,
    maximum: 1,
    default: 0,
    help: 'Probability that a rectangle of an image becomes white',
  }),
  augmentationScale: number({
    minimum: 0,
    maximum: 0.9,
    default: 0.3,
    help: 'Each axis is scaled by 1 - this to 1 + this',
  }),
  augmentationRotation: number({
    minimum: 0,
    maximum: 180,
    default: recipe.augmentation.degrees,
    help: 'Most degrees of a turn, either way',
  }),
  augmentationShift: number({
    minimum: 0,
    maximum: 1,
    default: recipe.augmentation.shift,
    help: 'Most of a shift, as a share of the side; 10 of 224 pixels',
  }),
  photoFill: choice(['white', 'black', 'mean'], {
    default: 'white',
    help: "What surrounds an augmented photo: sketches are on white, mean is ImageNet's",
  }),
  batchNorm: choice(['train', 'frozen'], {
    default: recipe.batchNorm,
    help: "Normalise by each batch's statistics, or by the running ones of the starting weights",
  }),
  batchNormDomains: choice(['shared', 'separate'], {
    default: 'shared',
    help: 'Whether batch normalisation has one set of statistics for sketches and photos, or one for each; weights may say it themselves',
  }),
  frozenStages: integer({
    minimum: 0,
    maximum: 4,
    default: recipe.frozenStages,
    help: 'Stages of the backbone, the stem with the first, whose weights and running statistics stay as they begin; no gradient goes through them',
  }),
  size: integer({ minimum: 32, maximum: 1024, default: recipe.imageSize, help: 'Side of the images, in pixels' }),
  backbone: choice(BACKBONE_NAMES, {
    default: DEFAULT_BACKBONE,
    help: 'The network that computes features of an image; weights say their own',
  }),
  width: number({
    above: 0,
    maximum: 4,
    default: recipe.network.width,
    help: "Multiplies the backbone's numbers of channels, in quarters; 1 is the network of the paper, and weights say their own",
  }),
  embedding: integer({
    minimum: 1,
    maximum: 4096,
    default: recipe.network.embedding,
    help: 'Components of an embedding',
  }),
  embeddingStart: choice(['svd', 'random'], {
    default: recipe.embeddingStart,
    help: "The embedding and the teacher's head to begin with: a classifier's singular vectors, or new ones",
  }),
  stride: choice(['v1.5', 'v1'], {
    default: recipe.network.stride,
    help: "Where a bottleneck block halves the image: in the 3x3 convolution (torchvision's), or in the 1x1 before it; weights may say it themselves",
  }),
  batchNormEpsilon: number({
    above: 0,
    maximum: 1,
    default: recipe.network.batchNormEpsilon,
    help: 'What batch normalisation adds to the variance; weights may say it themselves',
  }),
  sketches: choice(['whole', 'fitted'], {
    default: 'whole',
    help: 'Whether sketches of a folder or a published set are stretched whole or cut to their ink first; the model then wants the sketches of a search so, too. Weights may say it themselves',
  }),
  precision: PRECISION_OPTION,
  weights: text({
    placeholder: 'file',
    help: "Starting weights: a model of ours, or a ResNet of torchvision's, timm's or others (.safetensors, .pth, .pt, .bin), whole or in part; one with a classifier is the teacher too. sketchgrad weights FILE shows what is in it",
  }),
  ...WEIGHTS_OPTIONS,
  resume: text({
    placeholder: 'folder|file',
    changeable: true,
    help: 'Go on with a run, from its latest checkpoint or from the one given; settings come from there',
  }),
  checkpointEvery: integer({
    minimum: 1,
    default: 500,
    changeable: true,
    remembered: true,
    help: 'Steps from one checkpoint to the next',
  }),
  keep: integer({
    minimum: 1,
    default: 2,
    changeable: true,
    remembered: true,
    help: 'Checkpoints that are kept, besides the best and the last',
  }),
  validateEvery: integer({
    minimum: 1,
    default: 500,
    changeable: true,
    remembered: true,
    help: 'Steps from one validation to the next',
  }),
  memoryBudget: bytes({
    changeable: true,
    remembered: true,
    help: 'Device memory that the training may hold, such as 900M or 2G, weights and moments included; what does not fit is recomputed, at no change of any number; below what that needs, the batch comes in micro-batches',
  }),
  accumulate: integer({
    minimum: 1,
    changeable: true,
    help: 'Equal micro-batches that a batch comes in, for less memory at once; losses and mining still see all of it (default: as few as --memory-budget allows)',
  }),
  profile: text({
    placeholder: 'file',
    changeable: true,
    help: 'Write the time of every kernel of a step to this JSON file, after the training',
  }),
  ...TUNING_OPTIONS,
  ...SHARED_OPTIONS,
} as const;

type TrainValues = OptionValues<typeof TRAIN_OPTIONS>;

export const trainCommand = defineCommand({
  name: 'train',
  summary: 'Train a retrieval network; Ctrl-C saves, --resume goes on',
  options: TRAIN_OPTIONS,
  async run(_options, { given }) {
    const found = given.resume === undefined ? undefined : await findResumable(given.resume as string);
    const checkpoint = found !== undefined && 'checkpoint' in found ? found.checkpoint : undefined;
    // A run that was killed before its first checkpoint begins again, with the options that it was given.
    const restart = found !== undefined && 'options' in found ? found : undefined;
    const begun =
      found === undefined
        ? undefined
        : resolveResumed(
            given,
            checkpoint?.file.about.options ?? restart?.options,
            checkpoint?.name ?? restart?.folder,
          );
    const weights = checkpoint === undefined ? await readStart(begun ?? given) : undefined;
    const resolved = begun ?? resolveOptions(TRAIN_OPTIONS, given, weights === undefined ? {} : saidBy(weights, given));
    const knowledge =
      resolved.knowledge !== undefined && checkpoint === undefined
        ? await readKnowledge(resolved.knowledge)
        : undefined;
    const options = readAs(resolved, knowledge, given);
    if (given.steps !== undefined && given.epochs !== undefined)
      throw new OptionError('--steps and --epochs were both given; give one of them');
    checkTuning(options);
    await ensureAdapter(options.adapter);

    const runFolder =
      restart?.folder ??
      (checkpoint === undefined ? path.join('runs', `train-${timestamp()}`) : path.dirname(checkpoint.name));
    const folder = await RunFolder.open(options.out ?? runFolder, { keep: options.keep, fresh: found === undefined });
    const start = weights && {
      file: weights.file,
      name: options.weights as string,
      unused: weights.pretrained?.unused,
    };
    const teacher = await readTeacher(options, checkpoint !== undefined);
    const dataset = await openData({ ...options, imageSize: options.size });
    const epoch = stepsPerEpoch(dataset, options);
    const training = trainingOf(options, options.steps ?? options.epochs * epoch, epoch);

    const device = await openCommandDevice(options.adapter);
    const display = new TrainingDisplay(training);
    const stop = stopOnSignal();
    try {
      checkPrecision(device, options.precision);
      await folder.prepare();
      if (checkpoint === undefined) folder.log({ event: 'options', options: storedOptions(options) });
      if (restart !== undefined)
        note(`${restart.folder} holds no checkpoint: the run begins again, with the options that it was given`);
      const repaired = checkpoint && (await folder.repair(checkpoint.file));
      if (repaired?.note !== undefined) note(repaired.note);
      note(
        `${device.description.device}: ${dataset.name}, ${dataset.train.length} images of ${dataset.seenClasses.length} seen classes, ${training.imageSize} px`,
      );
      if (dataset.validation.length === 0)
        note('no sketch is held out for validation (--validation), so there will be no best checkpoint');
      const trained = await trainRetrieval({
        device,
        selector: await openTuner(device, options),
        dataset,
        training,
        start,
        teacher,
        knowledge: knowledge && { file: knowledge, name: options.knowledge as string },
        resume: repaired && { file: repaired.file, name: checkpoint!.name },
        validateEvery: options.validateEvery,
        checkpointEvery: options.checkpointEvery,
        about: { options: storedOptions(options) },
        signal: stop.signal,
        memoryBudget: options.memoryBudget,
        microBatches: options.accumulate,
        profile: options.profile !== undefined,
        onCheckpoint: (saved) => folder.save(saved),
        onProgress: display.onProgress,
        onLog: (entry) => {
          folder.log(entry);
          display.onLog(entry);
        },
      }).catch(asOptionError);
      display.stop();
      if (options.profile !== undefined) await writeProfile(options.profile, device, trained);
      conclude(trained, folder);
      trained.model.storage.destroy();
    } finally {
      display.stop();
      stop.release();
      await folder.release();
      closeCommandDevice(device);
    }
  },
});

/**
 * The teacher of its own that was given; a resumed run with an online teacher needs that of its starting weights again.
 */
export async function readTeacher(
  {
    teacher,
    teacherMode,
    weights,
    width,
    weightsPrefix,
    input,
  }: Pick<TrainValues, 'teacher' | 'teacherMode' | 'weights' | 'width' | 'weightsPrefix' | 'input'>,
  resumed = false,
): Promise<{ readonly file: ModelFile; readonly name: string } | undefined> {
  const name = teacher ?? (resumed && teacherMode === 'online' ? weights : undefined);
  if (name === undefined) return undefined;
  const { file } = await readWeightsFile(name, teacher === undefined ? '--weights' : '--teacher', {
    weightsPrefix,
    input,
  });
  if (teacher !== undefined) requireWidth(file, name, width, '--teacher');
  return { file: asTeacher(file), name };
}

/** Weights as a teacher's: a retrieval network's as the classifier that it is. */
export const asTeacher = (file: ModelFile): ModelFile =>
  file.state.has('fc.weight') ? file : { ...file, state: classifierOf(file.state) };

/** The starting weights that were given, if any were. */
export async function readStart(given: Readonly<Record<string, unknown>>): Promise<StartingWeights | undefined> {
  return given.weights === undefined ? undefined : readWeightsFile(given.weights as string, '--weights', given);
}

/**
 * What starting weights say of the network that they are for, as options that a flag overrules; the backbone and its
 * width cannot be overruled.
 */
export function saidBy(
  { file }: StartingWeights,
  { weights, backbone, width }: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  if (backbone !== undefined) requireBackbone(file, weights as string, backbone as BackboneName);
  if (width !== undefined) requireWidth(file, weights as string, width as number);
  return checkedOptions(optionsOfWeights(file, weights as string), weights as string);
}

/** The table that --knowledge names. */
export async function readKnowledge(file: string): Promise<Knowledge> {
  return parseKnowledge(await readGivenFile(file, '--knowledge'), file);
}

/** The options with what the knowledge's file says of its reading, unless another one was requested. */
export function readAs<Values extends Pick<TrainValues, 'teacherMean' | 'teacherTemperature' | 'teacherPhotos'>>(
  options: Values,
  knowledge: Knowledge | undefined,
  given: Readonly<Record<string, unknown>>,
): Values {
  if (knowledge === undefined) return options;
  const { reading, photosPerClass } = knowledge.origin;
  const read = { teacherMean: reading.mean, teacherTemperature: reading.temperature, teacherPhotos: photosPerClass };
  return { ...options, ...Object.fromEntries(Object.entries(read).filter(([key]) => given[key] === undefined)) };
}

/** How pixels become numbers: as --input or the weights say. */
export const pixelsOf = ({ input }: { readonly input?: string }): PixelNormalization =>
  input === undefined ? IMAGENET_PIXELS : pixelNormalization(parseInputOption(input));

const PHOTO_FILLS = {
  white: WHITE,
  black: [0, 0, 0],
  mean: IMAGENET_PIXELS.mean.map((value) => Math.round(255 * value)) as [number, number, number],
} as const;

/**
 * The library's settings for a command's options. @param epoch steps of an epoch, for a schedule by epochs @throws
 * OptionError where two of them do not go together
 */
export function trainingOf(
  options: Omit<TrainValues, 'adapter' | 'debug' | 'tune' | 'deterministic'>,
  steps: number,
  epoch = 1,
): RetrievalTraining {
  const { margin, classifier, augmentationScale } = options;
  if (options.classifierMargin > 0 && classifier !== 'cosine')
    throw new OptionError(
      `--classifier-margin ${options.classifierMargin}: a margin is for cosines; give --classifier cosine as well, or leave it out`,
    );
  return {
    ...recipe,
    seed: options.seed,
    steps,
    imageSize: options.size,
    augmentation: {
      probability: options.augmentation,
      partProbability: options.augmentationParts,
      scale: [1 - augmentationScale, 1 + augmentationScale],
      degrees: options.augmentationRotation,
      shift: options.augmentationShift,
      photoFill: PHOTO_FILLS[options.photoFill],
    },
    ...((options.augmentationRecolouring > 0 || options.augmentationErasing > 0) && {
      appearance: { recolouring: options.augmentationRecolouring, erasing: options.augmentationErasing },
    }),
    pixels: pixelsOf(options),
    ...(options.sketches === 'fitted' && { sketches: options.sketches }),
    network: {
      ...recipe.network,
      ...(options.backbone !== DEFAULT_BACKBONE && { backbone: options.backbone }),
      width: options.width,
      embedding: options.embedding,
      stride: options.stride,
      batchNormEpsilon: options.batchNormEpsilon,
      classifier,
      ...(options.batchNormDomains === 'separate' && { batchNormDomains: options.batchNormDomains }),
    },
    batchNorm: options.batchNorm,
    frozenStages: options.frozenStages,
    classesPerBatch: options.classesPerBatch,
    imagesPerDomain: options.imagesPerDomain,
    ...(options.sourceWeights && { sourceWeights: options.sourceWeights }),
    ...(options.sourceRepeats && { sourceRepeats: options.sourceRepeats }),
    ...(options.pairedSketches > 0 && { pairedSketches: options.pairedSketches }),
    losses: {
      quadruplet: options.lossQuadruplet,
      classification: options.lossClassification,
      preservation: options.lossPreservation,
      quadrupletStart: options.quadrupletStart,
      quadrupletRamp: options.quadrupletRamp,
      form: options.quadrupletForm,
      margin,
      secondMargin: options.secondMargin ?? margin / 2,
      share: options.hingeShare,
      mining: options.mining,
      classifierTemperature: options.classifierTemperature ?? (classifier === 'cosine' ? COSINE_TEMPERATURE : 1),
      preservedDomains: options.preservedDomains,
      ...(options.labelSmoothing > 0 && { labelSmoothing: options.labelSmoothing }),
      ...(options.classifierMargin > 0 && { classifierMargin: options.classifierMargin }),
      ...(options.lossContrastive > 0 && {
        contrastive: {
          weight: options.lossContrastive,
          temperature: options.contrastiveTemperature,
          positives: options.contrastivePositives,
        },
      }),
    },
    teacher: {
      kind: options.teacherMode,
      reading: { mean: options.teacherMean, temperature: options.teacherTemperature },
      photosPerClass: options.teacherPhotos,
    },
    embeddingStart: options.embeddingStart,
    optimizer: {
      kind: options.optimizer,
      weightDecay: options.weightDecay,
      decayed: options.decayed,
      trunkRate: options.trunkRate,
      momentum: options.momentum,
    },
    schedule: {
      learningRate: options.learningRate,
      warmupSteps: options.warmup,
      decay: options.schedule,
      final: options.finalRate,
      stepsAtARate: options.scheduleBy === 'epoch' ? epoch : 1,
    },
    ...(options.emaDecay > 0 && { emaDecay: options.emaDecay }),
    ...(options.precision === 'f16' && { precision: options.precision }),
  };
}

/** Options out of a file, which may say anything. @throws OptionError that names the file and the option */
function checkedOptions(said: Readonly<Record<string, unknown>>, file: string): Record<string, unknown> {
  const known = Object.entries(said).filter(([key, value]) => value !== undefined && key in TRAIN_OPTIONS);
  return Object.fromEntries(
    known.map(([key, value]) => [
      key,
      TRAIN_OPTIONS[key as keyof typeof TRAIN_OPTIONS].check(value, `${file}, ${optionName(key)}`),
    ]),
  );
}

/** On resuming, the checkpoint's options stand in for the defaults, and only changeable ones may be given otherwise. */
function resolveResumed(
  given: Readonly<Record<string, unknown>>,
  stored: Json | undefined,
  checkpoint: string | undefined,
): TrainValues {
  const before: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(typeof stored === 'object' && stored !== null ? stored : {})) {
    const option = key in TRAIN_OPTIONS ? TRAIN_OPTIONS[key as keyof typeof TRAIN_OPTIONS] : undefined;
    if (option === undefined) continue;
    before[key] = option.check(value, `${checkpoint}, ${optionName(key)}`);
    if (!option.changeable && given[key] !== undefined && given[key] !== value) {
      throw new OptionError(
        `--${optionName(key)} ${String(given[key])}: the run was begun with ${String(value)}, and a resumed run keeps its settings. Leave the flag out, or start a new run from these weights with --weights ${checkpoint}`,
      );
    }
  }
  return resolveOptions(TRAIN_OPTIONS, given, before);
}

/**
 * What a resumed run needs to know of this one's options: what must stay, and what stays unless another value is given.
 */
export function storedOptions(options: TrainValues): Json {
  const { data, split, unseen } = options;
  const fixed = Object.entries(options).filter(
    ([key, value]) => value !== undefined && isStored(TRAIN_OPTIONS[key as keyof typeof TRAIN_OPTIONS]),
  );
  return {
    ...(Object.fromEntries(fixed) as Record<string, Json>),
    data,
    ...(split !== undefined && { split }),
    ...(unseen !== undefined && { unseen }),
  };
}

const isStored = ({
  changeable,
  remembered,
}: {
  readonly changeable: boolean;
  readonly remembered: boolean;
}): boolean => !changeable || remembered;

/** What the options ask for of a batch and its memory cannot be had. */
export function asOptionError(error: unknown): never {
  if (error instanceof MemoryBudgetError) throw new OptionError(`--memory-budget: ${error.message}`, { cause: error });
  if (error instanceof MicroBatchError) throw new OptionError(`--accumulate: ${error.message}`, { cause: error });
  throw error;
}

/**
 * Aborts at Ctrl-C, SIGTERM or the end of the terminal (SIGHUP). A second Ctrl-C or SIGTERM ends the process at once,
 * which loses no more of a training than the steps since the last checkpoint; SIGHUP may come twice, from the terminal
 * and from the shell, and does not.
 * @param finished what is still done before the end
 */
export function stopOnSignal(finished = 'the steps under way are finished and saved'): {
  readonly signal: AbortSignal;
  release(): void;
} {
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted && signal === 'SIGHUP') return;
    if (controller.signal.aborted) process.exit(130);
    // With the terminal gone, whatever is written to it fails, and must not end the process before all is saved.
    if (signal === 'SIGHUP') for (const stream of [process.stdout, process.stderr]) stream.on('error', ignore);
    note(`\nstopping: ${finished} (again to end at once)`);
    controller.abort();
  };
  for (const signal of STOPPING) process.on(signal, stop);
  return {
    signal: controller.signal,
    release: () => {
      for (const signal of STOPPING) process.off(signal, stop);
    },
  };
}

const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const ignore = (): void => undefined;

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
    if (entry.event === 'start' && entry.teacherClasses === 0)
      note('no teacher in the starting weights: the knowledge preservation loss is left out');
    if (entry.event === 'start' && entry.replacedVariants > 0)
      note(
        `${entry.replacedVariants} kernel variants that the run was begun with are not to be had here: its numbers will not be those of an unbroken run to the last bit`,
      );
    if (entry.event === 'start') note(describeMemory(entry.memory));
    if (entry.event === 'step' && entry.skipped === true)
      note(
        `step ${entry.step}: gradients overflow 16 bits; the step is skipped, the loss scale now ${entry.lossScale} (${entry.skippedSteps} skipped so far)`,
      );
    if (entry.event === 'step') this.steps.update(entry.step + 1, this.total, describeStep(entry));
    if (entry.event === 'warning') note(`warning, step ${entry.step}: ${entry.message}`);
    if (entry.event === 'validation')
      note(
        `${entry.stepsDone}/${this.total} validation: mAP@all ${entry.mapAll.toFixed(4)}, P@1 ${entry.precisionAt1.toFixed(4)}${entry.best ? ', the best so far' : ''}`,
      );
  };

  stop(): void {
    this.steps.stop();
    this.other.teacher.stop();
    this.other.pipelines.stop();
  }
}

function describeStep({ loss, values, imagesPerSecond }: Extract<LogEntry, { event: 'step' }>): string {
  const parts = ['quadruplet', 'contrastive', 'classification', 'preservation', 'divergence']
    .filter((name) => name in values)
    .map((name) => `${name} ${values[name].toFixed(3)}`);
  return `${imagesPerSecond.toFixed(1)} images/s  loss ${loss.toFixed(3)} (${parts.join(', ')})`;
}

function conclude({ file, stepsDone, stopped, deviceBusy, seconds }: TrainedRetrieval, folder: RunFolder): void {
  const { steps, validation, checkpoints, preparation } = seconds;
  const lines = [
    `weights after ${stepsDone} steps: checksum ${file.checksum}`,
    `time: preparation ${formatSeconds(preparation)}, steps ${formatSeconds(steps)}, validation ${formatSeconds(validation)}, checkpoints ${formatSeconds(checkpoints)}; the device had work in ${(100 * deviceBusy).toFixed(1)} % of the steps' time`,
    stopped
      ? `stopped; go on with: sketchgrad train --resume ${folder.path}`
      : `model: ${folder.file('model.safetensors')}`,
  ];
  printText(`${lines.join('\n')}\n`);
}

async function writeProfile(
  file: string,
  device: Device,
  { profile = [], deviceBusy, seconds, stepsDone }: TrainedRetrieval,
): Promise<void> {
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
    kernels: [...kernels]
      .map(([label, kernel]) => ({ label, ...kernel, share: kernel.microseconds / total }))
      .sort((a, b) => b.microseconds - a.microseconds),
    dispatches: profile satisfies readonly Span[],
  };
  await writeFileAtomically(file, new TextEncoder().encode(`${JSON.stringify(content, null, 1)}\n`));
  note(`profile of one step: ${file}`);
}

/** "2026-11-23-224501". */
export function timestamp(): string {
  return new Date().toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');
}
