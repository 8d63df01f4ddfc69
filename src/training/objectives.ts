import { QUADRUPLET_STATISTICS, type QuadrupletLossProblem } from '../../kernels/quadruplet_loss.ts';
import { add } from '../autodiff/ops/add.ts';
import { quadrupletLoss, softmaxCrossEntropy } from '../autodiff/ops/losses.ts';
import { prepareImages } from '../autodiff/ops/prepare-images.ts';
import { selectRows } from '../autodiff/ops/rows.ts';
import { scaleBy } from '../autodiff/ops/scale.ts';
import type { Feeds } from '../autodiff/program.ts';
import { constant, input, type Tensor } from '../autodiff/tensor.ts';
import type { TrainingBatch } from '../data/loader.ts';
import type { FloatType } from '../gpu/dispatch.ts';
import type { BatchStatistics, Network } from '../nn/layers.ts';
import { IMAGENET_PIXELS, type PixelNormalization } from '../nn/pixels.ts';
import type { Classifier, RetrievalNetwork } from '../nn/retrieval-network.ts';
import { ramp } from './schedule.ts';

/** How activations and their gradients are stored; all arithmetic, parameters and losses are f32 (docs/mixed-precision.md). */
export type Precision = FloatType;

export interface BatchShape {
  /** Images in a batch. */
  readonly count: number;
  /** Side of the decoded images and of the network's input, in pixels. */
  readonly sourceSize: number;
  readonly size: number;
  readonly pixels?: PixelNormalization;
  /** f32 if left out. The images are stored so, and everything that a network computes of them follows. */
  readonly precision?: Precision;
}

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
  /** The same objective on fewer images. Only where the loss is a mean over images, so that a batch can come in parts. */
  readonly ofCount?: (count: number) => Objective;
  /** The same objective in two parts. Only where a loss over the whole batch sees of each image what the network makes of it alone. */
  readonly encoded?: EncodedObjective;
}

/** An objective in two parts, so that a batch can pass through the network in micro-batches and meet in the loss. */
export interface EncodedObjective {
  /** What the network makes of so many images, [count, width]. */
  encode(count: number): { readonly encoded: Tensor; readonly batchStatistics: BatchStatistics; feeds(batch: TrainingBatch): Feeds };
  /** @param encoded the whole batch, [batch, width] */
  loss(encoded: Tensor): Pick<Objective, 'loss' | 'reported' | 'feeds'>;
}

/** Images of a batch as the network wants them; adds the inputs `images` and `transforms` to the graph. */
export function imageInput({ count, sourceSize, size, pixels = IMAGENET_PIXELS, precision }: BatchShape): Tensor {
  return prepareImages({ count, source: sourceSize, size, mean: pixels.mean, deviation: pixels.deviation, ...(precision === 'f16' && { type: precision }) });
}

/** Softmax cross-entropy of a classifier: pre-training. */
export function classificationObjective(network: Classifier, shape: BatchShape, batchNorm: 'train' | 'frozen' = 'train'): Objective {
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
  readonly margin: number;
  readonly mining: NonNullable<QuadrupletLossProblem['mining']>;
}

export const DEFAULT_LOSSES: RetrievalLosses = {
  quadruplet: 1,
  classification: 1,
  preservation: 1,
  quadrupletStart: 0,
  quadrupletRamp: 0,
  margin: 0.2,
  mining: 'hardest',
};

/**
 * The three losses of Tursun et al. (2022): domain-balanced quadruplet, semantic classification, semantic knowledge
 * preservation.
 * @param knowledge [classes, teacher classes]: for each class the teacher's mean softmax over its photos
 */
export function retrievalObjective(
  network: RetrievalNetwork,
  shape: BatchShape,
  losses: RetrievalLosses,
  knowledge: Float32Array | undefined,
  batchNorm: 'train' | 'frozen' = 'train',
): Objective {
  const encode: EncodedObjective['encode'] = (count) => {
    const { encoded, batchStatistics } = network.encode(imageInput({ ...shape, count }), batchNorm);
    return { encoded, batchStatistics, feeds: ({ images, transforms }) => ({ images, transforms }) };
  };
  const loss: EncodedObjective['loss'] = (encoded) => retrievalLoss(network, encoded, losses, knowledge);
  const { count } = shape;
  const whole = encode(count);
  const ofWhole = loss(whole.encoded);
  return {
    network,
    batchStatistics: whole.batchStatistics,
    count,
    precision: shape.precision,
    ...ofWhole,
    feeds: (batch) => ({ ...whole.feeds(batch), ...ofWhole.feeds(batch) }),
    // No ofCount: the quadruplet loss looks for its negatives in the whole batch.
    encoded: { encode, loss },
  };
}

/** The three losses on what the network's first part made of a batch. @param encoded [batch, embedding] */
function retrievalLoss(network: RetrievalNetwork, encoded: Tensor, losses: RetrievalLosses, knowledge: Float32Array | undefined): ReturnType<EncodedObjective['loss']> {
  const { classes, teacherClasses } = network.retrieval;
  const [count] = encoded.shape;
  const labels = input('labels', [count], 'u32');
  const domains = input('domains', [count], 'u32');
  const { embeddings, classLogits, teacherLogits } = network.heads(encoded);

  const random = losses.mining === 'random';
  const seed = random ? input('miningSeed', [1], 'u32') : undefined;
  const quadruplet = quadrupletLoss(embeddings, labels, domains, { margin: losses.margin, mining: losses.mining, seed });
  const classification = softmaxCrossEntropy(classLogits, labels);
  // Weights are inputs, so that a loss can set in during training without another program.
  const weight = (name: string): Tensor => input(`${name}Weight`, [1]);
  let loss = add(scaleBy(quadruplet.loss, weight('quadruplet')), scaleBy(classification, weight('classification')));
  const terms: [string, Tensor][] = [
    ['quadruplet', quadruplet.loss],
    ['classification', classification],
  ];
  const preserves = teacherLogits !== undefined && knowledge !== undefined;
  if (preserves) {
    const table = constant('knowledge', [classes, teacherClasses], knowledge);
    const preservation = softmaxCrossEntropy(teacherLogits, selectRows(table, labels));
    loss = add(loss, scaleBy(preservation, weight('preservation')));
    terms.push(['preservation', preservation]);
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
      ...(preserves && { preservationWeight: Float32Array.of(losses.preservation) }),
      ...(random && { miningSeed: Uint32Array.of(step) }),
    }),
  };
}
