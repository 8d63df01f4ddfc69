import { QUADRUPLET_STATISTICS, type QuadrupletLossProblem } from '../../kernels/quadruplet_loss.ts';
import { add } from '../autodiff/ops/add.ts';
import { quadrupletLoss, softmaxCrossEntropy } from '../autodiff/ops/losses.ts';
import { prepareImages } from '../autodiff/ops/prepare-images.ts';
import { selectRows } from '../autodiff/ops/rows.ts';
import { scaleBy } from '../autodiff/ops/scale.ts';
import type { Feeds } from '../autodiff/program.ts';
import { constant, input, type Tensor } from '../autodiff/tensor.ts';
import type { TrainingBatch } from '../data/loader.ts';
import type { BatchStatistics, Network } from '../nn/layers.ts';
import { IMAGENET_PIXELS, type PixelNormalization } from '../nn/pixels.ts';
import type { Classifier, RetrievalNetwork } from '../nn/retrieval-network.ts';
import { ramp } from './schedule.ts';

export interface BatchShape {
  /** Images in a batch. */
  readonly count: number;
  /** Side of the decoded images and of the network's input, in pixels. */
  readonly sourceSize: number;
  readonly size: number;
  readonly pixels?: PixelNormalization;
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
  /** The same objective on fewer images. Only where the loss is a mean over images, so that a batch can come in parts. */
  readonly ofCount?: (count: number) => Objective;
}

/** Images of a batch as the network wants them; adds the inputs `images` and `transforms` to the graph. */
export function imageInput({ count, sourceSize, size, pixels = IMAGENET_PIXELS }: BatchShape): Tensor {
  return prepareImages({ count, source: sourceSize, size, mean: pixels.mean, deviation: pixels.deviation });
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
  const { classes, teacherClasses } = network.retrieval;
  const { count } = shape;
  const labels = input('labels', [count], 'u32');
  const domains = input('domains', [count], 'u32');
  const { embeddings, classLogits, teacherLogits, batchStatistics } = network.apply(imageInput(shape), batchNorm);

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
    network,
    loss,
    batchStatistics,
    reported: {
      ...Object.fromEntries(terms.map(([name, tensor]) => [name, { tensor, names: [name] }])),
      quadrupletStatistics: { tensor: quadruplet.statistics, names: QUADRUPLET_STATISTICS },
    },
    count,
    // No ofCount: the quadruplet loss looks for its negatives in the whole batch.
    feeds: ({ step, images, transforms, labels: classLabels, domains: imageDomains }) => ({
      images,
      transforms,
      labels: classLabels,
      domains: imageDomains,
      quadrupletWeight: Float32Array.of(losses.quadruplet * ramp(step, losses.quadrupletStart, losses.quadrupletRamp)),
      classificationWeight: Float32Array.of(losses.classification),
      ...(preserves && { preservationWeight: Float32Array.of(losses.preservation) }),
      ...(random && { miningSeed: Uint32Array.of(step) }),
    }),
  };
}
