import { BACKBONE_NAMES, DEFAULT_BACKBONE } from '../../nn/backbones/index.ts';
import { OPTIMIZER_KINDS } from '../../nn/optimizers/index.ts';
import { COSINE_TEMPERATURE } from '../../training/objectives.ts';
import { PAPER_EPOCHS } from '../../training/recipe.ts';
import { DATA_OPTIONS, VALIDATION_OPTION } from './data.ts';
import { bytes, choice, integer, number, numbersByName, text } from './kinds.ts';
import { WEIGHTS_OPTIONS } from './model.ts';
import type { OptionValues } from './option.ts';
import { setting } from './setting.ts';
import { PRECISION_OPTION, SHARED_OPTIONS, TUNING_OPTIONS } from './shared.ts';

const LARGEST_U32 = 2 ** 32 - 1;

/**
 * The options of `sketchgrad train`. An option that is a setting of the recipe says which (`setting`); its default and its
 * way into the training follow.
 */
export const TRAIN_OPTIONS = {
  ...DATA_OPTIONS,
  validation: VALIDATION_OPTION,
  out: text({
    placeholder: 'folder',
    changeable: true,
    help: "Where checkpoints and log.jsonl go (default: runs/train-<date>, or the resumed run's folder)",
  }),
  seed: setting(
    'seed',
    integer({
      minimum: 0,
      maximum: LARGEST_U32,
      help: 'Seed of splits, data order, augmentation and new weights',
    }),
  ),
  epochs: integer({ minimum: 1, default: PAPER_EPOCHS, help: 'Passes over as many images as the larger domain has' }),
  steps: integer({ minimum: 1, replaces: 'epochs', help: 'Training steps, in place of epochs' }),
  classesPerBatch: setting(
    'classesPerBatch',
    integer({
      minimum: 2,
      help: 'P: classes in a batch, which holds P x (K sketches + K photos)',
    }),
  ),
  imagesPerDomain: setting(
    'imagesPerDomain',
    integer({
      minimum: 1,
      help: 'K: sketches, and photos, of each class in a batch',
    }),
  ),
  sourceWeights: setting(
    'sourceWeights',
    numbersByName({
      help: 'How often each source of a data set that was put together is drawn from within a class, such as drawings=3,icons=1; 1 where nothing is said',
    }),
  ),
  sourceRepeats: setting(
    'sourceRepeats',
    numbersByName({
      help: 'How often the classes of a source come in a pass, such as drawings=3; once where nothing is said',
    }),
  ),
  pairedSketches: setting(
    'pairedSketches',
    number({
      minimum: 0,
      maximum: 1,
      default: 0,
      help: 'Probability with which a picture comes with the sketch that was simulated of it (--pseudo-sketches, --data search), instead of any sketch of its class',
    }),
  ),
  lossQuadruplet: setting(
    'losses.quadruplet',
    number({
      minimum: 0,
      help: 'Weight of the domain-balanced quadruplet loss',
    }),
  ),
  lossClassification: setting(
    'losses.classification',
    number({
      minimum: 0,
      help: 'Weight of the classification loss',
    }),
  ),
  lossPreservation: setting(
    'losses.preservation',
    number({
      minimum: 0,
      help: 'Weight of the knowledge preservation loss; without a teacher in --weights it is left out',
    }),
  ),
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
  quadrupletForm: setting(
    'losses.form',
    choice(['domain-balanced', 'one-hinge', 'two-pairs'], {
      help: 'Its hinges: one a negative of either domain; both negatives in one; or those of Chen et al. (2017), the second over a pair of other classes',
    }),
  ),
  margin: setting(
    'losses.margin',
    number({
      minimum: 0,
      help: 'Margin of the quadruplet loss, as a distance between embeddings of length 1',
    }),
  ),
  secondMargin: number({
    minimum: 0,
    help: 'Margin of the second hinge of two-pairs, whose distances are squared (default: half of --margin)',
  }),
  hingeShare: setting(
    'losses.share',
    number({
      minimum: 0,
      maximum: 1,
      help: "Share of the other domain's negative in the one hinge",
    }),
  ),
  mining: setting(
    'losses.mining',
    choice(['hardest', 'semi-hard', 'random'], {
      help: 'How the quadruplet loss picks its positives and negatives in the batch',
    }),
  ),
  quadrupletStart: setting(
    'losses.quadrupletStart',
    integer({
      minimum: 0,
      help: 'Steps before the quadruplet loss sets in; from random weights it collapses without some',
    }),
  ),
  quadrupletRamp: setting(
    'losses.quadrupletRamp',
    integer({
      minimum: 0,
      help: 'Steps over which its weight then rises',
    }),
  ),
  classifier: setting(
    'network.classifier',
    choice(['linear', 'cosine'], {
      help: 'Logits of the trained classes: a linear layer on the embedding, or cosines',
    }),
  ),
  classifierTemperature: number({
    above: 0,
    help: `Divides the classifier's logits (default: 1, and ${COSINE_TEMPERATURE} for cosines)`,
  }),
  labelSmoothing: setting(
    'losses.labelSmoothing',
    number({
      minimum: 0,
      maximum: 1,
      default: 0,
      help: "The share of the classification loss's targets that is spread over all classes",
    }),
  ),
  classifierMargin: setting(
    'losses.classifierMargin',
    number({
      minimum: 0,
      maximum: 2,
      default: 0,
      help: 'What a cosine classifier takes off the cosine of the right class, such as 0.2 (CosFace)',
    }),
  ),
  preservedDomains: setting(
    'losses.preservedDomains',
    choice(['both', 'photos'], {
      help: 'Images whose knowledge is preserved',
    }),
  ),
  teacherMode: setting(
    'teacher.kind',
    choice(['class-oriented', 'online'], {
      help: "The teacher's knowledge of each class, prepared once, or the teacher itself on the images of every step",
    }),
  ),
  teacher: text({
    placeholder: 'file',
    help: "The teacher's weights, where they are not --weights: a classifier's, or a model that was trained here",
  }),
  knowledge: text({
    placeholder: 'file',
    help: 'The knowledge of each class that sketchgrad distill prepared; the teacher need not be asked again',
  }),
  teacherMean: setting(
    'teacher.reading.mean',
    choice(['softmax', 'logits'], {
      help: "What is averaged over a class's photos: the teacher's softmax, or its logits",
    }),
  ),
  teacherTemperature: setting(
    'teacher.reading.temperature',
    number({
      above: 0,
      help: "Divides the teacher's logits",
    }),
  ),
  teacherPhotos: setting(
    'teacher.photosPerClass',
    integer({
      minimum: 0,
      help: 'Photos of each class that the teacher sees, drawn by the seed; 0 for all',
    }),
  ),
  optimizer: setting(
    'optimizer.kind',
    choice(OPTIMIZER_KINDS, {
      help: 'adam adds the weight decay to the gradient, adamw takes it off the weights; lamb and lars scale the step of each tensor to its norm, for large batches',
    }),
  ),
  learningRate: setting(
    'schedule.learningRate',
    number({
      above: 0,
      help: 'Learning rate where the schedule begins',
    }),
  ),
  weightDecay: setting('optimizer.weightDecay', number({ minimum: 0, help: 'Weight decay' })),
  decayed: setting(
    'optimizer.decayed',
    choice(['all', 'weights'], {
      help: 'Parameters that decay: all, or weights alone, not biases and batch normalisation',
    }),
  ),
  trunkRate: setting(
    'optimizer.trunkRate',
    number({
      minimum: 0,
      help: "Times the learning rate, for the backbone's own parameters; 0 keeps them as they are",
    }),
  ),
  momentum: setting('optimizer.momentum', number({ minimum: 0, maximum: 1, help: 'Momentum of sgd and lars' })),
  schedule: setting(
    'schedule.decay',
    choice(['constant', 'exponential', 'cosine', 'linear'], {
      help: 'How the learning rate falls',
    }),
  ),
  finalRate: setting(
    'schedule.final',
    number({
      minimum: 0,
      maximum: 1,
      help: 'The share of the learning rate that is left in the end',
    }),
  ),
  scheduleBy: choice(['step', 'epoch'], {
    default: 'step',
    help: 'Whether the learning rate falls at every step, or between epochs',
  }),
  warmup: setting(
    'schedule.warmupSteps',
    integer({
      minimum: 0,
      help: 'Steps over which the learning rate rises at the beginning',
    }),
  ),
  emaDecay: setting(
    'emaDecay',
    number({
      minimum: 0,
      maximum: 1,
      default: 0,
      help: 'Decay of an exponential moving average of the weights, such as 0.999, which then is validated and saved as the model; it rises to that as (1 + step) / (10 + step); 0 for none',
    }),
  ),
  augmentation: setting(
    'augmentation.probability',
    number({
      minimum: 0,
      maximum: 1,
      help: 'Share of the images that are flipped, scaled, turned or shifted',
    }),
  ),
  augmentationParts: setting(
    'augmentation.partProbability',
    number({
      minimum: 0,
      maximum: 1,
      help: 'Probability of each of the four, where an image is augmented',
    }),
  ),
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
  augmentationRotation: setting(
    'augmentation.degrees',
    number({
      minimum: 0,
      maximum: 180,
      help: 'Most degrees of a turn, either way',
    }),
  ),
  augmentationShift: setting(
    'augmentation.shift',
    number({
      minimum: 0,
      maximum: 1,
      help: 'Most of a shift, as a share of the side; 10 of 224 pixels',
    }),
  ),
  photoFill: choice(['white', 'black', 'mean'], {
    default: 'white',
    help: "What surrounds an augmented photo: sketches are on white, mean is ImageNet's",
  }),
  batchNorm: setting(
    'batchNorm',
    choice(['train', 'frozen'], {
      help: "Normalise by each batch's statistics, or by the running ones of the starting weights",
    }),
  ),
  batchNormDomains: setting(
    'network.batchNormDomains',
    choice(['shared', 'separate'], {
      default: 'shared',
      help: 'Whether batch normalisation has one set of statistics for sketches and photos, or one for each; weights may say it themselves',
    }),
  ),
  frozenStages: setting(
    'frozenStages',
    integer({
      minimum: 0,
      maximum: 4,
      help: 'Stages of the backbone, the stem with the first, whose weights and running statistics stay as they begin; no gradient goes through them',
    }),
  ),
  size: setting('imageSize', integer({ minimum: 32, maximum: 1024, help: 'Side of the images, in pixels' })),
  backbone: setting(
    'network.backbone',
    choice(BACKBONE_NAMES, {
      default: DEFAULT_BACKBONE,
      help: 'The network that computes features of an image; weights say their own',
    }),
  ),
  width: setting(
    'network.width',
    number({
      above: 0,
      maximum: 4,
      help: "Multiplies the backbone's numbers of channels, in quarters; 1 is the network of the paper, and weights say their own",
    }),
  ),
  embedding: setting(
    'network.embedding',
    integer({
      minimum: 1,
      maximum: 4096,
      help: 'Components of an embedding',
    }),
  ),
  embeddingStart: setting(
    'embeddingStart',
    choice(['svd', 'random'], {
      help: "The embedding and the teacher's head to begin with: a classifier's singular vectors, or new ones",
    }),
  ),
  stride: setting(
    'network.stride',
    choice(['v1.5', 'v1'], {
      help: "Where a bottleneck block halves the image: in the 3x3 convolution (torchvision's), or in the 1x1 before it; weights may say it themselves",
    }),
  ),
  batchNormEpsilon: setting(
    'network.batchNormEpsilon',
    number({
      above: 0,
      maximum: 1,
      help: 'What batch normalisation adds to the variance; weights may say it themselves',
    }),
  ),
  batchNormMomentum: setting(
    'network.batchNormMomentum',
    number({ minimum: 0, maximum: 1, help: 'Share of the batch in the running statistics of batch normalisation' }),
  ),
  sketches: setting(
    'sketches',
    choice(['whole', 'fitted'], {
      default: 'whole',
      help: 'Whether sketches of a folder or a published set are stretched whole or cut to their ink first; the model then wants the sketches of a search so, too. Weights may say it themselves',
    }),
  ),
  precision: setting('precision', PRECISION_OPTION),
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

/** The values of the options of `sketchgrad train`. */
export type TrainValues = OptionValues<typeof TRAIN_OPTIONS>;
