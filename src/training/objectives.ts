import { softmaxCrossEntropy } from '../autodiff/ops/losses.ts';
import { input, type Tensor } from '../autodiff/tensor.ts';
import { separatesDomains, type Classifier, type RetrievalNetwork } from '../nn/retrieval-network.ts';
import { imageInput, type BatchShape } from '../models/image-input.ts';
import { encodeBatch } from './batch-input.ts';
import type { EncodedObjective, Objective } from './objective.ts';
import { retrievalLoss, type RetrievalLosses } from './retrieval-loss.ts';
import { targetsOf, type OfPreserved, type TeacherSignal } from './teacher-targets.ts';

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
