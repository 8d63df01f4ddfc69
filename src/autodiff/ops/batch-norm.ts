import { batchNorm as forwardKernel } from '../../../kernels/batch_norm.ts';
import { batchNormGradient as gradientKernel } from '../../../kernels/batch_norm_gradient.ts';
import { apply, use, type Op } from '../op.ts';
import { describe, ShapeError, type Tensor } from '../tensor.ts';

export interface BatchNormOptions {
  readonly epsilon: number;
  /** Added after the normalisation, in the same pass. */
  readonly residual?: Tensor;
  /** Whether a ReLU comes last, in the same pass. */
  readonly relu?: boolean;
}

/** What batch normalisation of a batch gives; all but y are [channels]. */
export interface BatchNormOutputs {
  readonly y: Tensor;
  readonly mean: Tensor;
  /** Unbiased, over batch * height * width: what running statistics follow. */
  readonly variance: Tensor;
}

interface Attributes {
  readonly epsilon: number;
  readonly relu: boolean;
}

const rowsOf = (x: Tensor): { rows: number; channels: number } => {
  const channels = x.shape[x.shape.length - 1];
  return { rows: x.length / channels, channels };
};

const forward: Op<Attributes> = {
  name: 'batchNorm',
  infer([x, gamma, beta, residual]) {
    const { channels } = rowsOf(x);
    for (const parameter of [gamma, beta]) {
      if (parameter.length !== channels) throw new ShapeError(`batchNorm: ${describe(x)} with ${describe(parameter)}; [${channels}] was expected`);
    }
    if (residual !== undefined && residual.length !== x.length) throw new ShapeError(`batchNorm: residual ${describe(residual)} does not fit ${describe(x)}`);
    return [
      { shape: x.shape, name: gamma.name },
      { shape: [channels], name: `${gamma.name} mean` },
      { shape: [channels], name: `${gamma.name} inverse deviation` },
      { shape: [channels], name: `${gamma.name} variance` },
    ];
  },
  lower: ({ attributes: { epsilon, relu }, inputs: [x, gamma, beta, residual], outputs: [y, mean, inverseDeviation, variance] }) => [
    use(
      forwardKernel,
      { ...rowsOf(x), epsilon, residual: residual !== undefined, relu },
      { x, gamma, beta, ...(residual && { residual }), y, mean, inverseDeviation, variance },
    ),
  ],
  gradient({ attributes: { relu }, inputs: [x, gamma, , residual], outputs: [y, mean, inverseDeviation] }, [dy, dmean, , dvariance]) {
    if (dmean !== undefined || dvariance !== undefined) throw new ShapeError('batchNorm: the gradient of the statistics themselves is not defined');
    if (dy === undefined) return [];
    const [dx, dgamma, dbeta, dresidual] = apply(backward, relu ? [x, gamma, mean, inverseDeviation, dy, y] : [x, gamma, mean, inverseDeviation, dy], {
      relu,
      residual: residual !== undefined,
    });
    // Without a ReLU, the residual's gradient is dy itself.
    return [dx, dgamma, dbeta, residual === undefined ? undefined : (dresidual ?? dy)];
  },
};

const backward: Op<{ readonly relu: boolean; readonly residual: boolean }> = {
  name: 'batchNormGradient',
  infer: ([x, gamma], { relu, residual }) => [
    { shape: x.shape, name: gamma.name },
    { shape: gamma.shape },
    { shape: gamma.shape },
    ...(relu && residual ? [{ shape: x.shape, name: `${gamma.name} residual` }] : []),
  ],
  lower: ({ attributes, inputs: [x, gamma, mean, inverseDeviation, dy, y], outputs: [dx, dgamma, dbeta, dresidual] }) => [
    use(
      gradientKernel,
      { ...rowsOf(x), ...attributes },
      { x, gamma, mean, inverseDeviation, dy, ...(y && { y }), dx, dgamma, dbeta, ...(dresidual && { dresidual }) },
    ),
  ],
};

/**
 * Batch normalisation in training mode over all but the last dimension, with what usually follows it:
 * y = relu?(gamma * (x - mean) / sqrt(variance + epsilon) + beta + residual?).
 * Ioffe and Szegedy, ICML 2015.
 * @param x [..., channels]
 * @param gamma, beta [channels]
 */
export function batchNorm(x: Tensor, gamma: Tensor, beta: Tensor, { epsilon, residual, relu = false }: BatchNormOptions): BatchNormOutputs {
  const [y, mean, , variance] = apply(forward, residual === undefined ? [x, gamma, beta] : [x, gamma, beta, residual], { epsilon, relu });
  return { y, mean, variance };
}
