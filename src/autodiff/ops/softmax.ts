import { softmax as kernel } from '../../../kernels/loss/softmax.ts';
import { apply, use, type Op } from '../op.ts';
import { checkNumber } from '../attributes.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';

/**
 * No gradient: it turns a frozen teacher's logits into targets. A trained softmax belongs into `softmaxCrossEntropy`.
 */
const op: Op<{ readonly temperature: number }> = {
  name: 'softmax',
  infer([logits], { temperature }) {
    checkNumber('softmax', 'temperature', temperature, 0, true);
    if (logits.shape.length !== 2)
      throw new ShapeError(`softmax: logits ${describe(logits)}; [batch, classes] was expected`);
    return [{ shape: logits.shape }, { shape: [logits.shape[0]] }];
  },
  lower: ({ attributes: { temperature }, inputs: [logits], outputs: [probabilities, entropy] }) => {
    const [rows, classes] = logits.shape;
    return [use(kernel, { rows, classes, temperature }, { logits, probabilities, entropy })];
  },
};

/**
 * softmax(logits / temperature) with the entropy of each row, in nats. A logit of -Infinity excludes its class, and
 * takes no part in the entropy. Rows with NaN or Infinity, or of -Infinity alone, give NaN. Accuracy: that of WGSL's
 * exp and log, 2^-23 * (3 + 2 |z|) and 2^-21, and sums in blocks of sqrt(classes).
 * @param logits [batch, classes]
 * @param temperature above 0
 */
export function softmax(logits: Tensor, temperature = 1): { readonly probabilities: Tensor; readonly entropy: Tensor } {
  const [probabilities, entropy] = apply(op, [logits], { temperature });
  return { probabilities, entropy };
}
