import type { AppearanceAugmentation } from '../data/appearance.ts';
import { DEFAULT_AUGMENTATION, type Augmentation } from '../data/augmentation.ts';
import type { Dataset } from '../data/dataset.ts';
import type { SketchFraming } from '../data/sketch-framing.ts';
import type { SourceWeights } from '../data/sources.ts';
import { DEFAULT_BACKBONE_SHAPE } from '../nn/backbones/index.ts';
import { DEFAULT_NETWORK_SETTINGS } from '../nn/layers.ts';
import type { OptimizerKind } from '../nn/optimizers/index.ts';
import { IMAGENET_PIXELS, type PixelNormalization } from '../nn/pixels.ts';
import type { RetrievalNetworkSettings } from '../nn/retrieval-network.ts';
import type { Precision } from '../models/image-input.ts';
import type { Views } from '../models/retrieval-model.ts';
import { DEFAULT_READING, type KnowledgeReading } from './knowledge.ts';
import { DEFAULT_LOSSES, type RetrievalLosses } from './retrieval-loss.ts';
import type { TeacherSignal } from './teacher-targets.ts';
import type { Schedule } from './schedule.ts';

/** All that decides the numbers of a training, besides its data and its starting weights. */
export interface RetrievalTraining {
  /** Seed of data order, augmentation, mining and new weights; u32. */
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
  /** What an embedding is made of, in validation and of the trained model; `single` if left out. The losses see single views. */
  readonly views?: Views;
  readonly network: Omit<RetrievalNetworkSettings, 'classes' | 'teacherClasses'>;
  readonly batchNorm: 'train' | 'frozen';
  /**
   * Stages of the backbone whose weights and running statistics stay those of the start, from 0 to as many as it has; the
   * stem counts to the first.
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
    /** Parameters that the weight decay acts on: all, or weights alone, not biases and batch normalization's. */
    readonly decayed: 'all' | 'weights';
    /** Times the learning rate, for the backbone's parameters; 0 keeps them as they are. */
    readonly trunkRate: number;
    /** Momentum of the optimizers that have one: SGD and LARS. */
    readonly momentum: number;
  };
  readonly schedule: Schedule;
  /**
   * The decay of an exponential moving average of the weights (see `averageDecay`), which then is what validation
   * measures and what the model is; 0 or left out for none.
   */
  readonly emaDecay?: number;
  readonly augmentation: Augmentation;
  /** Changes of colors, and parts erased; none where nothing is said. */
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
