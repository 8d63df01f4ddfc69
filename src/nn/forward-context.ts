import { checkOptions } from '../autodiff/attributes.ts';
import { affine } from '../autodiff/ops/affine.ts';
import { normalize } from '../autodiff/ops/batch-norm.ts';
import { convolution, convolutionWithEpilogue, convolutionWithStatistics } from '../autodiff/ops/convolution.ts';
import { foldBatchNorm } from '../autodiff/ops/fold-batch-norm.ts';
import type { Tensor } from '../autodiff/tensor.ts';
import type { BatchNorm, Network } from './layers.ts';

/**
 * How batch normalization acts: `train` normalizes by the batch and reports its statistics, `frozen` normalizes by the
 * running statistics and lets gradients through, `eval` does the same folded into the convolution, without gradients.
 */
export type BatchNormMode = 'train' | 'frozen' | 'eval';

/** Statistics of the batch, by the names of the running statistics that follow them. */
export type BatchStatistics = ReadonlyMap<string, Tensor>;

/**
 * One use of a network's layers: the mode of its batch normalization, and the statistics that it gathers on the way.
 */
export class ForwardContext {
  readonly mode: BatchNormMode;
  readonly epsilon: number;
  readonly batchStatistics = new Map<string, Tensor>();
  private readonly domain: string | undefined;

  /** @param domain the kind of the images, where batch normalization has running statistics of its own for it */
  constructor(network: Network, mode: BatchNormMode, domain?: string) {
    this.mode = mode;
    this.domain = domain;
    this.epsilon = network.settings.batchNormEpsilon;
  }

  /**
   * relu?(batchNorm(convolution(x, weight)) + residual?).
   * @param mode of this layer, where it is not that of the whole pass
   */
  convolutionBatchNorm(
    x: Tensor,
    weight: Tensor,
    norm: BatchNorm,
    options: { stride?: number; padding?: number; residual?: Tensor; relu?: boolean } = {},
    mode = this.mode,
  ): Tensor {
    checkOptions('convolutionBatchNorm', options, ['stride', 'padding', 'residual', 'relu']);
    const { stride = 1, padding = 0, residual, relu = false } = options;
    const { epsilon } = this;
    const running = (this.domain === undefined ? undefined : norm.ofDomain.get(this.domain)) ?? norm;
    if (mode === 'train') {
      const { y, ...statistics } = convolutionWithStatistics(x, weight, { stride, padding, epsilon });
      this.batchStatistics.set(running.mean.name, statistics.mean);
      this.batchStatistics.set(running.variance.name, statistics.variance);
      return normalize(y, statistics, norm.gamma, norm.beta, { residual, relu });
    }
    const { scale, shift } = foldBatchNorm(norm.gamma, norm.beta, running.mean, running.variance, epsilon);
    if (mode === 'eval')
      return convolutionWithEpilogue(x, weight, { scale, shift, residual, relu }, { stride, padding });
    return affine(convolution(x, weight, { stride, padding }), scale, shift, { residual, relu });
  }
}
