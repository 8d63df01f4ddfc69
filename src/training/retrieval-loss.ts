/** The losses of a retrieval network on a batch, and their settings. */
import { QUADRUPLET_STATISTICS } from '../../kernels/loss/quadruplet-loss.ts';
import type { QuadrupletLossProblem } from '../../kernels/loss/quadruplet-loss-problem.ts';
import { add, scale } from '../autodiff/ops/pointwise.ts';
import { scaleBy } from '../autodiff/ops/scale.ts';
import { contrastiveLoss, type ContrastiveOptions } from '../autodiff/ops/contrastive-loss.ts';
import { quadrupletLoss, softmaxCrossEntropy } from '../autodiff/ops/losses.ts';
import { oneHot } from '../autodiff/ops/one-hot.ts';
import { reshape } from '../autodiff/ops/reshape.ts';
import { selectRows } from '../autodiff/ops/rows.ts';
import { input, type Tensor } from '../autodiff/tensor.ts';
import { DOMAIN_INDEX } from '../data/dataset.ts';
import type { RetrievalNetwork } from '../nn/retrieval-network.ts';
import type { EncodedObjective } from './objective.ts';
import { ramp } from './schedule.ts';
import type { OfPreserved, TeacherTargets } from './teacher-targets.ts';

/** The weights of the three losses (docs/method.md, Losses), and when the first of them sets in. */
export interface RetrievalLosses {
  readonly quadruplet: number;
  readonly classification: number;
  readonly preservation: number;
  /** Steps before the quadruplet loss sets in; mined on untrained embeddings, it collapses them to one point. */
  readonly quadrupletStart: number;
  /** Steps over which its weight then rises. */
  readonly quadrupletRamp: number;
  /** The form of the quadruplet loss: see shaders/loss/quadruplet-loss-mining.wgsl. */
  readonly form: NonNullable<QuadrupletLossProblem['form']>;
  readonly margin: number;
  /** The margin of the second hinge of two pairs. */
  readonly secondMargin: number;
  /** Weight of the other domain's negative in the one hinge; 1 - share is that of the own domain's. */
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
export function retrievalLoss(
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
