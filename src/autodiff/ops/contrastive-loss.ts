import {
  contrastiveTargets as targetsKernel,
  type ContrastiveTargetsProblem,
} from '../../../kernels/loss/contrastive-targets.ts';
import { checkOptions, checkShape } from '../attributes.ts';
import { apply, cast, type Op, use } from '../op.ts';
import { constant, describe, ShapeError, type Tensor } from '../tensor.ts';
import { add } from './pointwise.ts';
import { linear } from './convolution.ts';
import { softmaxCrossEntropy } from './losses.ts';
import { transpose } from './transpose.ts';

type TargetAttributes = Omit<ContrastiveTargetsProblem, 'count'>;

const targetsOp: Op<TargetAttributes> = {
  name: 'contrastiveTargets',
  infer([labels, domains], { positives }) {
    if (labels.shape.length !== 1)
      throw new ShapeError(`contrastiveLoss: labels ${describe(labels)}; [count] was expected`);
    checkShape('contrastiveLoss', labels.shape, domains);
    if (positives !== 'any' && positives !== 'other-domain')
      throw new ShapeError(`contrastiveLoss: positives is ${String(positives)}; any or other-domain was expected`);
    return [{ shape: [labels.length, labels.length] }];
  },
  lower: ({ attributes, inputs: [labels, domains], outputs: [targets] }) => [
    use(targetsKernel, { count: labels.length, ...attributes }, { labels, domains, targets }),
  ],
};

/** Settings of the supervised contrastive loss. */
export interface ContrastiveOptions {
  /** Divides the cosines; above 0, and 0.1 if left out. */
  readonly temperature?: number;
  /**
   * The other items of an item's class that it is drawn to: those of the other domain (if left out), or all of them.
   */
  readonly positives?: ContrastiveTargetsProblem['positives'];
}

/** Added to the similarity of an item with itself: its exponential is 0 beside any other. */
const EXCLUDED = -1e9;

/**
 * The supervised contrastive loss of Khosla et al. (NeurIPS 2020): the mean over all items of the cross-entropy between
 * the softmax of its similarities with all other items and the uniform distribution over its positives. An item without
 * a positive adds nothing to the sum, but counts in the number of items. Accuracy: that of `linear` for the
 * similarities, and of `softmaxCrossEntropy` for the loss.
 * @param embeddings [count, width], of length 1 each
 * @param labels u32 [count]
 * @param domains u32 [count]
 * @returns [1]; differentiable once, in the embeddings
 */
export function contrastiveLoss(
  embeddings: Tensor,
  labels: Tensor,
  domains: Tensor,
  options: ContrastiveOptions = {},
): Tensor {
  checkOptions('contrastiveLoss', options, ['temperature', 'positives']);
  const { temperature = 0.1, positives = 'other-domain' } = options;
  if (embeddings.shape.length !== 2)
    throw new ShapeError(`contrastiveLoss: ${describe(embeddings)}; [count, width] was expected`);
  const [count] = embeddings.shape;
  checkShape('contrastiveLoss', [count], labels, domains);
  const [targets] = apply(targetsOp, [labels, domains], { positives });
  const whole = cast(embeddings, 'f32');
  const own = Float32Array.from({ length: count * count }, (_, i) => (i % (count + 1) === 0 ? EXCLUDED : 0));
  const similarities = add(linear(whole, transpose(whole)), constant('own similarities', [count, count], own));
  return softmaxCrossEntropy(similarities, targets, temperature);
}
