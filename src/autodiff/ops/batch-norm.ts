import { batchNorm as forwardKernel } from '../../../kernels/normalization/batch-norm.ts';
import { batchNormGradient as gradientKernel } from '../../../kernels/normalization/batch-norm-gradient.ts';
import { normalize as normalizeKernel } from '../../../kernels/normalization/normalize.ts';
import type { StorageType } from '../../../kernels/contract/storage-type.ts';
import { checkNumber, checkOptions, checkShape } from '../attributes.ts';
import { apply, cast, COUNTED_ELSEWHERE, type GradientRule, type Op, stored, use } from '../op.ts';
import { describe, floatType, GradientError, type Tensor } from '../tensor.ts';

/** Settings of batch normalization. */
export interface BatchNormOptions {
  readonly epsilon: number;
  /** Added after the normalization, in the same pass. */
  readonly residual?: Tensor;
  /** Whether a ReLU comes last, in the same pass. */
  readonly relu?: boolean;
}

/** What batch normalization of a batch gives; all but y are [channels]. */
export interface BatchNormOutputs {
  readonly y: Tensor;
  readonly mean: Tensor;
  /** Unbiased, over batch * height * width: what running statistics follow. */
  readonly variance: Tensor;
}

/** Of each channel, [channels]. @internal */
export interface Statistics {
  readonly mean: Tensor;
  /** 1 / sqrt(biased variance + epsilon). */
  readonly inverseDeviation: Tensor;
  /** Unbiased: what running statistics follow. */
  readonly variance: Tensor;
}

interface Attributes {
  readonly epsilon: number;
  readonly relu: boolean;
}

const rowsOf = (x: Tensor): { rows: number; channels: number } & StorageType => {
  const channels = x.shape[x.shape.length - 1];
  return { rows: x.length / channels, channels, ...stored(x) };
};

function checkShapes(op: string, x: Tensor, vectors: readonly Tensor[], residual: Tensor | undefined): void {
  checkShape(op, x.shape.slice(-1), ...vectors);
  checkShape(op, x.shape, residual);
}

const forward: Op<Attributes> = {
  name: 'batchNorm',
  infer([x, gamma, beta, residual], { epsilon }) {
    checkNumber('batchNorm', 'epsilon', epsilon, 0);
    checkShapes('batchNorm', x, [gamma, beta], residual);
    const { channels } = rowsOf(x);
    return [
      { shape: x.shape, name: gamma.name },
      { shape: [channels], name: `${gamma.name} mean` },
      { shape: [channels], name: `${gamma.name} inverse deviation` },
      { shape: [channels], name: `${gamma.name} variance` },
    ];
  },
  lower: ({
    attributes: { epsilon, relu },
    inputs: [x, gamma, beta, residual],
    outputs: [y, mean, inverseDeviation, variance],
  }) => [
    use(
      forwardKernel,
      { ...rowsOf(x), epsilon, residual: residual !== undefined, relu },
      { x, gamma, beta, ...(residual && { residual }), y, mean, inverseDeviation, variance },
    ),
  ],
  gradient: 'batchNormGradient',
};

export const batchNormGradient: GradientRule<{ readonly relu: boolean }> = (
  { attributes: { relu }, inputs: [x, gamma, , residual], outputs: [y, mean, inverseDeviation] },
  [dy],
) => {
  if (dy === undefined) return [];
  const { dx, dgamma, dbeta, dresidual } = gradients(relu, { x, gamma, mean, inverseDeviation, residual, y, dy });
  return [dx, dgamma, dbeta, dresidual];
};

const normalizeForward: Op<{ readonly relu: boolean }> = {
  name: 'normalize',
  supportsF16: true,
  infer([x, gamma, beta, mean, inverseDeviation, residual]) {
    checkShapes('normalize', x, [gamma, beta, mean, inverseDeviation], residual);
    return [{ shape: x.shape, type: x.type, name: gamma.name }];
  },
  lower: ({ attributes: { relu }, inputs: [x, gamma, beta, mean, inverseDeviation, residual], outputs: [y] }) => [
    use(
      normalizeKernel,
      { ...rowsOf(x), residual: residual !== undefined, relu },
      { x, gamma, beta, mean, inverseDeviation, ...(residual && { residual }), y },
    ),
  ],
  gradient: 'normalizeGradient',
};

export const normalizeGradient: GradientRule<{ readonly relu: boolean }> = (
  { attributes: { relu }, inputs: [x, gamma, , mean, inverseDeviation, residual], outputs: [y] },
  [dy],
) => {
  if (dy === undefined) return [];
  // The kernel's dx has the share of the statistics in it, which is right only where they are the statistics of x.
  const maker = x.origin.kind === 'node' ? x.origin.node : undefined;
  if (maker?.outputs[0] !== x || maker.outputs[1] !== mean || maker.outputs[2] !== inverseDeviation) {
    throw new GradientError(
      `normalize has no gradient with ${describe(mean)} and ${describe(inverseDeviation)}: they are not what convolutionWithStatistics gave along with ${describe(x)}`,
    );
  }
  const { dx, dgamma, dbeta, dresidual } = gradients(relu, { x, gamma, mean, inverseDeviation, residual, y, dy });
  return [dx, dgamma, dbeta, COUNTED_ELSEWHERE, COUNTED_ELSEWHERE, dresidual];
};

/** The gradient rule of both ops: dx contains what comes through the statistics. */
function gradients(
  relu: boolean,
  {
    x,
    gamma,
    mean,
    inverseDeviation,
    residual,
    y,
    dy,
  }: Record<'x' | 'gamma' | 'mean' | 'inverseDeviation' | 'y' | 'dy', Tensor> & {
    readonly residual: Tensor | undefined;
  },
): { dx: Tensor; dgamma: Tensor; dbeta: Tensor; dresidual: Tensor | undefined } {
  const inputs = [x, gamma, mean, inverseDeviation, dy];
  const [dx, dgamma, dbeta, dresidual] = apply(backward, relu ? [...inputs, y] : inputs, {
    relu,
    residual: residual !== undefined,
  });
  // Without a ReLU, the residual's gradient is dy itself.
  return { dx, dgamma, dbeta, dresidual: residual === undefined ? undefined : (dresidual ?? dy) };
}

const backward: Op<{ readonly relu: boolean; readonly residual: boolean }> = {
  name: 'batchNormGradient',
  supportsF16: true,
  infer: ([x, gamma], { relu, residual }) => [
    { shape: x.shape, type: x.type, name: gamma.name },
    { shape: gamma.shape },
    { shape: gamma.shape },
    ...(relu && residual ? [{ shape: x.shape, type: x.type, name: `${gamma.name} residual` }] : []),
  ],
  lower: ({
    attributes,
    inputs: [x, gamma, mean, inverseDeviation, dy, y],
    outputs: [dx, dgamma, dbeta, dresidual],
  }) => [
    use(
      gradientKernel,
      { ...rowsOf(x), ...attributes },
      { x, gamma, mean, inverseDeviation, dy, ...(y && { y }), dx, dgamma, dbeta, ...(dresidual && { dresidual }) },
    ),
  ],
};

/**
 * Batch normalization in training mode over all but the last dimension, with what usually follows it: y = relu?(gamma *
 * (x - mean) / sqrt(variance + epsilon) + beta + residual?). Ioffe and Szegedy, ICML 2015. Only y is differentiable: a
 * gradient of the statistics is a GradientError. Accuracy, with eps = 2^-24 and n elements a channel: the variance
 * within eps * (4 sqrt(96 + 3 sqrt(n)) + 18) of itself (7e-6 at n = 40,000), the mean within 2 eps of itself and the
 * same factor of the mean distance from it, whatever outliers and means there are. A channel with a NaN, an infinity,
 * or squares beyond float32 becomes NaN.
 * @param x [..., channels]
 * @param gamma [channels]
 */
export function batchNorm(x: Tensor, gamma: Tensor, beta: Tensor, options: BatchNormOptions): BatchNormOutputs {
  checkOptions('batchNorm', options, ['epsilon', 'residual', 'relu']);
  const { epsilon, residual, relu = false } = options;
  const [y, mean, , variance] = apply(forward, residual === undefined ? [x, gamma, beta] : [x, gamma, beta, residual], {
    epsilon,
    relu,
  });
  return { y, mean, variance };
}

/**
 * The last pass of batch normalization: y = relu?(gamma * (x - mean) * inverseDeviation + beta + residual?). Contract:
 * the statistics are those of x itself, over all but its last dimension, such as `convolutionWithStatistics` gives with
 * it. The gradient for x then contains their share, and they get none. With other statistics `gradient` throws a
 * GradientError.
 * @param x [..., channels]
 * @param gamma [channels]
 * @internal
 */
export function normalize(
  x: Tensor,
  { mean, inverseDeviation }: Pick<Statistics, 'mean' | 'inverseDeviation'>,
  gamma: Tensor,
  beta: Tensor,
  options: Omit<BatchNormOptions, 'epsilon'> = {},
): Tensor {
  checkOptions('normalize', options, ['residual', 'relu']);
  const { residual, relu = false } = options;
  const inputs = [x, gamma, beta, mean, inverseDeviation];
  return apply(normalizeForward, residual === undefined ? inputs : [...inputs, cast(residual, floatType(x))], {
    relu,
  })[0];
}
