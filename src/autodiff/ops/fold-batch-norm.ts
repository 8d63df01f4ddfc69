import { foldBatchNorm as foldKernel } from '../../../kernels/normalization/fold-batch-norm.ts';
import { foldBatchNormGradient as foldGradientKernel } from '../../../kernels/normalization/fold-batch-norm-gradient.ts';
import { apply, use, type GradientRule, type Op } from '../op.ts';
import { checkNumber, checkShape } from '../attributes.ts';
import type { Tensor } from '../tensor.ts';
import { fill } from './fill.ts';

interface Attributes {
  readonly epsilon: number;
}

const op: Op<Attributes> = {
  name: 'foldBatchNorm',
  infer([gamma, ...others], { epsilon }) {
    checkShape('foldBatchNorm', [gamma.length], gamma, ...others);
    checkNumber('foldBatchNorm', 'epsilon', epsilon, 0);
    return [
      { shape: gamma.shape, name: `${gamma.name} scale` },
      { shape: gamma.shape, name: `${gamma.name} shift` },
    ];
  },
  lower: ({
    attributes: { epsilon },
    inputs: [gamma, beta, runningMean, runningVariance],
    outputs: [scale, shift],
  }) => [
    use(foldKernel, { channels: gamma.length, epsilon }, { gamma, beta, runningMean, runningVariance, scale, shift }),
  ],
  gradient: 'foldBatchNormGradient',
  differentiableOutputs: [0, 1],
};

/** None for the running statistics: training never changes them by gradient. */
export const foldBatchNormGradient: GradientRule<{ readonly epsilon: number }> = (
  { attributes, inputs: [gamma, , runningMean, runningVariance] },
  [dscale, dshift],
) =>
  apply(
    gradientOp,
    [dscale ?? fill(gamma.shape, 0), dshift ?? fill(gamma.shape, 0), runningMean, runningVariance],
    attributes,
  );

const gradientOp: Op<Attributes> = {
  name: 'foldBatchNormGradient',
  infer: ([dscale]) => [{ shape: dscale.shape }, { shape: dscale.shape }],
  lower: ({
    attributes: { epsilon },
    inputs: [dscale, dshift, runningMean, runningVariance],
    outputs: [dgamma, dbeta],
  }) => [
    use(
      foldGradientKernel,
      { channels: dscale.length, epsilon },
      { dscale, dshift, runningMean, runningVariance, dgamma, dbeta },
    ),
  ],
};

/**
 * Batch normalization with running statistics as one affine map: scale = gamma / sqrt(variance + epsilon), shift = beta
 * - mean * scale. Differentiable in gamma and beta; a gradient of the running statistics is a GradientError.
 * @internal
 */
export function foldBatchNorm(
  gamma: Tensor,
  beta: Tensor,
  runningMean: Tensor,
  runningVariance: Tensor,
  epsilon: number,
): { readonly scale: Tensor; readonly shift: Tensor } {
  const [scale, shift] = apply(op, [gamma, beta, runningMean, runningVariance], { epsilon });
  return { scale, shift };
}
