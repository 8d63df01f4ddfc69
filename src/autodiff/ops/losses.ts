import { quadrupletLoss as quadrupletKernel, QUADRUPLET_STATISTICS } from '../../../kernels/loss/quadruplet-loss.ts';
import type { QuadrupletLossProblem } from '../../../kernels/loss/quadruplet-loss-problem.ts';
import { softmaxCrossEntropy as crossEntropyKernel } from '../../../kernels/loss/softmax-cross-entropy.ts';
import { checkNumber, checkOptions, checkShape } from '../attributes.ts';
import { apply, use, type Op } from '../op.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';
import { scaleBy } from './scale.ts';

/**
 * Losses come out of one fused kernel together with their gradient, as a second output that the public functions do not
 * return. Their gradient rule only scales it by the gradient that arrives. That second output is not differentiable: a
 * loss that depends on it, such as a gradient penalty, throws a GradientError.
 */

const crossEntropyOp: Op<{ readonly temperature: number }> = {
  name: 'softmaxCrossEntropy',
  infer([logits, targets], { temperature }) {
    checkNumber('softmaxCrossEntropy', 'temperature', temperature, 0, true);
    if (logits.shape.length !== 2)
      throw new ShapeError(`softmaxCrossEntropy: logits ${describe(logits)}; [batch, classes] was expected`);
    checkShape('softmaxCrossEntropy', targets.type === 'u32' ? [logits.shape[0]] : logits.shape, targets);
    return [{ shape: [1] }, { shape: logits.shape, name: 'dlogits' }];
  },
  lower: ({ attributes: { temperature }, inputs: [logits, targets], outputs: [loss, dlogits] }) => {
    const [rows, classes] = logits.shape;
    const kind = targets.type === 'u32' ? 'hard' : 'soft';
    return [use(crossEntropyKernel, { rows, classes, targets: kind, temperature }, { logits, targets, loss, dlogits })];
  },
  indices: ({ inputs: [logits, targets] }) =>
    targets.type === 'u32' ? [{ indices: targets, end: logits.shape[1] }] : [],
  gradient: ({ outputs: [, dlogits] }, [dloss]) => [dloss && scaleBy(dlogits, dloss)],
};

/**
 * The mean over the batch of the cross-entropy between targets and softmax(logits / temperature). Accuracy, and rows
 * that have no softmax: as `softmax`.
 * @param logits [batch, classes]
 * @param targets labels, u32 [batch], or distributions, f32 [batch, classes]. A label that is no class ends the run
 * with an IndexError, as in `selectRows`. No
 *   label is ignored. In distributions a row of zeros adds nothing to the sum, but still counts in the number of rows by which the sum is divided.
 * @param temperature above 0
 * @returns [1]; differentiable once, in the logits. A gradient of its gradient or of the targets is a GradientError.
 */
export function softmaxCrossEntropy(logits: Tensor, targets: Tensor, temperature = 1): Tensor {
  return apply(crossEntropyOp, [logits, targets], { temperature })[0];
}

type QuadrupletAttributes = Omit<QuadrupletLossProblem, 'count' | 'width'>;

const quadrupletOp: Op<QuadrupletAttributes> = {
  name: 'quadrupletLoss',
  infer([embeddings, labels, domains, seed], { margin = 0, secondMargin = 0, share = 0 }) {
    if (embeddings.shape.length !== 2)
      throw new ShapeError(`quadrupletLoss: ${describe(embeddings)}; [count, width] was expected`);
    checkShape('quadrupletLoss', [embeddings.shape[0]], labels, domains);
    if (seed !== undefined) checkShape('quadrupletLoss', [1], seed);
    for (const [name, value] of Object.entries({ margin, secondMargin, share }))
      checkNumber('quadrupletLoss', name, value, 0);
    return [
      { shape: [1] },
      { shape: embeddings.shape, name: 'dembeddings' },
      { shape: [QUADRUPLET_STATISTICS.length], name: 'statistics' },
    ];
  },
  lower: ({ attributes, inputs: [embeddings, labels, domains, seed], outputs: [loss, dembeddings, statistics] }) => {
    const [count, width] = embeddings.shape;
    return [
      use(
        quadrupletKernel,
        { count, width, ...attributes },
        { embeddings, labels, domains, ...(seed && { seed }), loss, dembeddings, statistics },
      ),
    ];
  },
  indices: ({ inputs: [, , domains] }) => [{ indices: domains, end: 2 }],
  gradient: ({ outputs: [, dembeddings] }, [dloss]) => [dloss && scaleBy(dembeddings, dloss)],
};

/** Settings of the quadruplet loss. */
export interface QuadrupletOptions extends QuadrupletAttributes {
  /** For random mining: u32 [1], another one each step. */
  readonly seed?: Tensor;
}

/**
 * The domain-balanced quadruplet loss of Tursun et al. (2022), reconstructed in docs/method.md, or one of its other
 * forms: mining, hinges and gradient in one go. Accuracy, with eps = 2^-24: each squared distance within eps * (4
 * sqrt(width) + 5) of itself, a distance d within half of that plus 9 eps d, and the loss within the mean error of its
 * hinges. A NaN or infinite distance between any two embeddings makes the loss and its gradient NaN.
 * @param embeddings [count, width], of length 1 each
 * @param labels u32 [count]
 * @param domains u32 [count], 0 for sketches and 1 for photos; any other ends the run with an IndexError, as in
 * `selectRows`
 * @returns loss [1], differentiable once in the embeddings, and statistics, named by QUADRUPLET_STATISTICS, which are
 * not
 *   differentiable: a gradient of them or of the loss's gradient is a GradientError
 */
export function quadrupletLoss(
  embeddings: Tensor,
  labels: Tensor,
  domains: Tensor,
  options: QuadrupletOptions = {},
): { readonly loss: Tensor; readonly statistics: Tensor } {
  checkOptions('quadrupletLoss', options, ['form', 'margin', 'secondMargin', 'share', 'mining', 'seed']);
  const { seed, ...attributes } = options;
  const inputs = seed === undefined ? [embeddings, labels, domains] : [embeddings, labels, domains, seed];
  const [loss, , statistics] = apply(quadrupletOp, inputs, attributes);
  return { loss, statistics };
}
