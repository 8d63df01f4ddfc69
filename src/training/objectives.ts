import { QUADRUPLET_STATISTICS } from '../../kernels/loss/quadruplet-loss.ts';
import type { QuadrupletLossProblem } from '../../kernels/loss/quadruplet-loss-problem.ts';
import { add, scale } from '../autodiff/ops/pointwise.ts';
import { scaleBy } from '../autodiff/ops/scale.ts';
import { contrastiveLoss, type ContrastiveOptions } from '../autodiff/ops/contrastive-loss.ts';
import { quadrupletLoss, softmaxCrossEntropy } from '../autodiff/ops/losses.ts';
import { oneHot } from '../autodiff/ops/one-hot.ts';
import { mean } from '../autodiff/ops/reduce.ts';
import { reshape } from '../autodiff/ops/reshape.ts';
import { selectRows } from '../autodiff/ops/rows.ts';
import { softmax } from '../autodiff/ops/softmax.ts';
import type { Feeds } from '../autodiff/program.ts';
import { constant, input, type Tensor } from '../autodiff/tensor.ts';
import { DOMAIN_INDEX } from '../data/dataset.ts';
import type { TrainingBatch } from '../data/loader.ts';
import type { BatchStatistics } from '../nn/forward-context.ts';
import type { Network } from '../nn/layers.ts';
import { separatesDomains, type Classifier, type RetrievalNetwork } from '../nn/retrieval-network.ts';
import { imageInput, type BatchShape, type Precision } from '../models/image-input.ts';
import { encodeBatch } from './batch-input.ts';
import { ramp } from './schedule.ts';

/** A loss on a network: what a trainer minimises, and what it reports. */
export interface Objective {
  readonly network: Network;
  readonly loss: Tensor;
  readonly batchStatistics: BatchStatistics;
  /** Tensors to be read back each step, each with a name for each of its elements. */
  readonly reported: Readonly<Record<string, { readonly tensor: Tensor; readonly names: readonly string[] }>>;
  /** The program's inputs for a batch, but for the optimiser's. */
  feeds(batch: TrainingBatch): Feeds;
  /** Images in a batch. */
  readonly count: number;
  /** f32 if left out; with f16 the trainer scales the loss. */
  readonly precision?: Precision;
  /**
   * The same objective on fewer images. Only where the loss is a mean over images, so that a batch can come in parts.
   */
  readonly ofCount?: (count: number) => Objective;
  /**
   * The same objective in two parts. Only where a loss over the whole batch sees of each image what the network makes
   * of it alone.
   */
  readonly encoded?: EncodedObjective;
}

/** An objective in two parts, so that a batch can pass through the network in micro-batches and meet in the loss. */
export interface EncodedObjective {
  /** A number that the images of every part must be a multiple of; 1 if left out. */
  readonly multipleOf?: number;
  /** What the network makes of so many images, [count, width]. */
  encode(count: number): {
    readonly encoded: Tensor;
    readonly batchStatistics: BatchStatistics;
    /** The inputs of the program for a batch. */
    feeds(batch: TrainingBatch): Feeds;
  };
  /**
   * The loss of what the network makes of a batch.
   * @param encoded the whole batch, [batch, width]
   */
  loss(encoded: Tensor): Pick<Objective, 'loss' | 'reported' | 'feeds'>;
}

/** Softmax cross-entropy of a classifier: pre-training. */
export function classificationObjective(
  network: Classifier,
  shape: BatchShape,
  batchNorm: 'train' | 'frozen' = 'train',
): Objective {
  const { logits, batchStatistics } = network.apply(imageInput(shape), batchNorm);
  const loss = softmaxCrossEntropy(logits, input('labels', [shape.count], 'u32'));
  return {
    network,
    loss,
    batchStatistics,
    reported: {},
    feeds: ({ images, transforms, labels }) => ({ images, transforms, labels }),
    count: shape.count,
    precision: shape.precision,
    ofCount: (count) => classificationObjective(network, { ...shape, count }, batchNorm),
  };
}

/** The weights of the three losses (method.md, Total), and when the first of them sets in. */
export interface RetrievalLosses {
  readonly quadruplet: number;
  readonly classification: number;
  readonly preservation: number;
  /** Steps before the quadruplet loss sets in; mined on untrained embeddings, it collapses them to one point. */
  readonly quadrupletStart: number;
  /** Steps over which its weight then rises. */
  readonly quadrupletRamp: number;
  /** Of the quadruplet loss: see shaders/loss/quadruplet-loss-mining.wgsl for its forms. */
  readonly form: NonNullable<QuadrupletLossProblem['form']>;
  readonly margin: number;
  /** Of the second hinge of two pairs. */
  readonly secondMargin: number;
  /** Of the other domain's negative in the one hinge; 1 - share is that of the own domain's. */
  readonly share: number;
  readonly mining: NonNullable<QuadrupletLossProblem['mining']>;
  /** Divides the classifier's logits: 1 for a linear one, about 0.05 for cosines. */
  readonly classifierTemperature: number;
  /** Images whose knowledge is preserved. */
  readonly preservedDomains: 'both' | 'photos';
  /**
   * The share of each class's target that is spread over all classes, from 0 to 1; 0 if left out (Szegedy et al., CVPR
   * 2016).
   */
  readonly labelSmoothing?: number;
  /**
   * What is taken off the cosine of the right class, before the temperature divides it; 0 if left out, and of a cosine
   * classifier alone (CosFace: Wang et al., CVPR 2018).
   */
  readonly classifierMargin?: number;
  /** A supervised contrastive loss on the embeddings (method.md, Beyond the paper); none if left out. */
  readonly contrastive?: Required<ContrastiveOptions> & { readonly weight: number };
}

export const DEFAULT_LOSSES: RetrievalLosses = {
  quadruplet: 1,
  classification: 1,
  preservation: 1,
  quadrupletStart: 0,
  quadrupletRamp: 0,
  form: 'domain-balanced',
  margin: 0.2,
  secondMargin: 0.1,
  share: 0.5,
  mining: 'hardest',
  classifierTemperature: 1,
  preservedDomains: 'both',
};

/** The temperature of method.md for a cosine classifier. */
export const COSINE_TEMPERATURE = 0.05;

/** Where the knowledge that is to be preserved comes from (method.md, Semantic knowledge preservation). */
export type TeacherSignal =
  /** Prepared once, by class: [classes, teacher classes], each row a distribution. */
  | { readonly kind: 'class-oriented'; readonly knowledge: Float32Array }
  /** The teacher itself, frozen, which sees each image of each step: the baseline of SAKE (Liu et al., ICCV 2019). */
  | { readonly kind: 'online'; readonly network: Classifier; readonly temperature: number };

/**
 * The three losses of Tursun et al. (2022): domain-balanced quadruplet, semantic classification, semantic knowledge
 * preservation; and those beyond the paper that `losses` has. Of the last of the three it also reports the divergence,
 * which is 0 where the head says just what the teacher does.
 * @throws RangeError where a linear classifier shall have a margin
 */
export function retrievalObjective(
  network: RetrievalNetwork,
  shape: BatchShape,
  losses: RetrievalLosses,
  teacher: TeacherSignal | undefined,
  batchNorm: 'train' | 'frozen' = 'train',
  frozenStages = 0,
): Objective {
  if ((losses.classifierMargin ?? 0) > 0 && network.retrieval.classifier !== 'cosine') {
    throw new RangeError(
      `a margin of ${losses.classifierMargin} is for cosines, and the network has a linear classifier; leave the margin out, or give the network a cosine classifier`,
    );
  }
  const encode = (part: number): ReturnType<typeof encodeBatch> =>
    encodeBatch(network, { ...shape, count: part }, { batchNorm, frozenStages });
  const { count } = shape;
  const whole = encode(count);
  const targets =
    teacher &&
    ((labels: Tensor, ofPreserved: OfPreserved) => targetsOf(network, teacher, whole.images, labels, ofPreserved));
  const loss: EncodedObjective['loss'] = (encoded) => retrievalLoss(network, encoded, losses, targets);
  const ofWhole = loss(whole.encoded);
  return {
    network,
    batchStatistics: whole.batchStatistics,
    count,
    precision: shape.precision,
    ...ofWhole,
    feeds: (batch) => ({ ...whole.feeds(batch), ...ofWhole.feeds(batch) }),
    // No ofCount: the quadruplet and the contrastive loss look for their negatives in the whole batch. An online
    // teacher has to see the images as well.
    ...(teacher?.kind !== 'online' && {
      encoded: { encode, loss, multipleOf: separatesDomains(network.retrieval) ? 2 : 1 },
    }),
  };
}

/** What the teacher says of images, [rows, teacher classes], and the mean entropy of it, [1]. */
interface TeacherTargets {
  readonly probabilities: Tensor;
  readonly entropy: Tensor;
}

/** Some rows of a tensor that has one for each image of the batch. */
type OfPreserved = (ofAll: Tensor) => Tensor;

function targetsOf(
  { retrieval: { classes, teacherClasses } }: RetrievalNetwork,
  teacher: TeacherSignal,
  images: Tensor,
  labels: Tensor,
  ofPreserved: OfPreserved,
): TeacherTargets {
  if (teacher.kind === 'online') {
    const { probabilities, entropy } = softmax(
      teacher.network.apply(ofPreserved(images), 'eval').logits,
      teacher.temperature,
    );
    return { probabilities, entropy: mean(entropy) };
  }
  const { knowledge } = teacher;
  const entropies = Float32Array.from({ length: classes }, (_, row) =>
    knowledge
      .subarray(row * teacherClasses, (row + 1) * teacherClasses)
      .reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0),
  );
  return {
    probabilities: ofPreserved(selectRows(constant('knowledge', [classes, teacherClasses], knowledge), labels)),
    entropy: mean(ofPreserved(selectRows(constant('entropies', [classes, 1], entropies), labels))),
  };
}

/** Takes rows of a tensor of any shape by their numbers. */
function rowsOf(tensor: Tensor, rows: Tensor): Tensor {
  const [count, ...rest] = tensor.shape;
  return reshape(selectRows(reshape(tensor, [count, tensor.length / count]), rows), [rows.length, ...rest]);
}

/** Softmax cross-entropy over the trained classes, with the margin and the smoothing that the losses have. */
function classificationLoss(
  logits: Tensor,
  labels: Tensor,
  { classifierTemperature, labelSmoothing = 0, classifierMargin = 0 }: RetrievalLosses,
): Tensor {
  const [, classes] = logits.shape;
  const shifted = classifierMargin > 0 ? add(logits, oneHot(labels, classes, { on: -classifierMargin })) : logits;
  const spread = labelSmoothing / classes;
  const targets =
    labelSmoothing > 0 ? oneHot(labels, classes, { on: 1 - labelSmoothing + spread, off: spread }) : labels;
  return softmaxCrossEntropy(shifted, targets, classifierTemperature);
}

/** The losses on what the network's first part made of a batch. @param encoded [batch, embedding] */
function retrievalLoss(
  network: RetrievalNetwork,
  encoded: Tensor,
  losses: RetrievalLosses,
  targets: ((labels: Tensor, ofPreserved: OfPreserved) => TeacherTargets) | undefined,
): ReturnType<EncodedObjective['loss']> {
  const [count] = encoded.shape;
  const labels = input('labels', [count], 'u32');
  const domains = input('domains', [count], 'u32');
  const { embeddings, classLogits, teacherLogits } = network.heads(encoded);

  const { form, margin, secondMargin, share, mining } = losses;
  const random = mining === 'random';
  const seed = random ? input('miningSeed', [1], 'u32') : undefined;
  const quadruplet = quadrupletLoss(embeddings, labels, domains, { form, margin, secondMargin, share, mining, seed });
  const classification = classificationLoss(classLogits, labels, losses);
  // Weights are inputs, so that a loss can set in during training without another program.
  const weight = (name: string): Tensor => input(`${name}Weight`, [1]);
  let loss = add(scaleBy(quadruplet.loss, weight('quadruplet')), scaleBy(classification, weight('classification')));
  const terms: [string, Tensor][] = [
    ['quadruplet', quadruplet.loss],
    ['classification', classification],
  ];
  const { contrastive } = losses;
  if (contrastive !== undefined) {
    const { temperature, positives } = contrastive;
    const term = contrastiveLoss(embeddings, labels, domains, { temperature, positives });
    loss = add(loss, scaleBy(term, weight('contrastive')));
    terms.push(['contrastive', term]);
  }
  const preserves = teacherLogits !== undefined && targets !== undefined;
  const photosOnly = preserves && losses.preservedDomains === 'photos';
  if (preserves) {
    // A balanced batch is half photos.
    const photoRows = photosOnly ? input('photoRows', [count / 2], 'u32') : undefined;
    const ofPreserved: OfPreserved = (ofAll) => (photoRows === undefined ? ofAll : rowsOf(ofAll, photoRows));
    const { probabilities, entropy } = targets(labels, ofPreserved);
    const preservation = softmaxCrossEntropy(ofPreserved(teacherLogits), probabilities);
    loss = add(loss, scaleBy(preservation, weight('preservation')));
    terms.push(['preservation', preservation], ['divergence', add(preservation, scale(entropy, -1))]);
  }
  return {
    loss,
    reported: {
      ...Object.fromEntries(terms.map(([name, tensor]) => [name, { tensor, names: [name] }])),
      quadrupletStatistics: { tensor: quadruplet.statistics, names: QUADRUPLET_STATISTICS },
    },
    feeds: ({ step, labels: classLabels, domains: imageDomains }) => ({
      labels: classLabels,
      domains: imageDomains,
      quadrupletWeight: Float32Array.of(losses.quadruplet * ramp(step, losses.quadrupletStart, losses.quadrupletRamp)),
      classificationWeight: Float32Array.of(losses.classification),
      ...(contrastive && { contrastiveWeight: Float32Array.of(contrastive.weight) }),
      ...(preserves && { preservationWeight: Float32Array.of(losses.preservation) }),
      ...(photosOnly && {
        photoRows: Uint32Array.from(imageDomains.keys()).filter((row) => imageDomains[row] === DOMAIN_INDEX.photo),
      }),
      ...(random && { miningSeed: Uint32Array.of(step) }),
    }),
  };
}
