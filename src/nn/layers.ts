import { checkOptions } from '../autodiff/attributes.ts';
import { affine } from '../autodiff/ops/affine.ts';
import { normalize } from '../autodiff/ops/batch-norm.ts';
import { bias as addBias } from '../autodiff/ops/bias.ts';
import {
  convolution,
  convolutionWithEpilogue,
  convolutionWithStatistics,
  linear,
} from '../autodiff/ops/convolution.ts';
import { foldBatchNorm } from '../autodiff/ops/fold-batch-norm.ts';
import { elementCount, type Initial, type Shape, ParameterStore, type Tensor } from '../autodiff/tensor.ts';

/**
 * How batch normalisation acts: `train` normalises by the batch and reports its statistics, `frozen` normalises by the
 * running statistics and lets gradients through, `eval` does the same folded into the convolution, without gradients.
 */
export type BatchNormMode = 'train' | 'frozen' | 'eval';

/** How a tensor is laid out in files, which follow PyTorch, and on the device. */
export type Layout =
  /** Files [outputs, inputs, height, width]; device [height, width, inputs padded to a multiple of 4, outputs]. */
  | { readonly kind: 'convolution'; readonly fileShape: Shape }
  /** Files [outputs, inputs]; device [inputs, outputs]. */
  | { readonly kind: 'linear'; readonly fileShape: Shape }
  /** The same in files and on the device: vectors, and tables whose rows are used one by one. */
  | { readonly kind: 'vector'; readonly fileShape: Shape };

/** Settings of all batch normalizations of a network. */
export interface NetworkSettings {
  /** Added to the variance; 1e-5 as in PyTorch. */
  readonly batchNormEpsilon: number;
  /** Share of the batch in the running statistics; 0.1 as in PyTorch. */
  readonly batchNormMomentum: number;
}

export const DEFAULT_NETWORK_SETTINGS: NetworkSettings = { batchNormEpsilon: 1e-5, batchNormMomentum: 0.1 };

/** Statistics of the batch, by the names of the running statistics that follow them. */
export type BatchStatistics = ReadonlyMap<string, Tensor>;

/**
 * The parameters and running statistics of a network under PyTorch's names, and the layers that use them. A network
 * declares its layers once; applying them to tensors builds a graph, as often as there are programs.
 */
export class Network {
  readonly parameters: ParameterStore;
  readonly statistics: ParameterStore;
  readonly settings: NetworkSettings;
  readonly layouts = new Map<string, Layout>();
  /** Kinds of images that have running statistics of their own, beside those of all others. */
  private readonly domains: readonly string[];

  /** @param domains kinds of images for which batch normalisation keeps running statistics of their own */
  constructor(settings: Partial<NetworkSettings> = {}, domains: readonly string[] = []) {
    this.domains = domains;
    this.parameters = new ParameterStore('parameters');
    this.statistics = new ParameterStore('running statistics');
    this.settings = { ...DEFAULT_NETWORK_SETTINGS, ...settings };
  }

  /** A parameter [n]. */
  vector(name: string, length: number, initial: Initial): Tensor {
    this.layouts.set(name, { kind: 'vector', fileShape: [length] });
    return this.parameters.add(name, [length], initial);
  }

  /** A parameter [rows, width]. */
  table(name: string, rows: number, width: number, initial: Initial): Tensor {
    this.layouts.set(name, { kind: 'vector', fileShape: [rows, width] });
    return this.parameters.add(name, [rows, width], initial);
  }

  /** Convolution weights, initialised as He et al. (ICCV 2015) for the ReLU, by the number of outputs. */
  convolutionWeight(name: string, kernel: number, inputs: number, outputs: number): Tensor {
    this.layouts.set(name, { kind: 'convolution', fileShape: [outputs, inputs, kernel, kernel] });
    const deviation = Math.sqrt(2 / (outputs * kernel * kernel));
    return this.parameters.add(name, [kernel, kernel, paddedChannels(inputs), outputs], { kind: 'normal', deviation });
  }

  /** A linear layer [inputs] to [outputs], initialised as in PyTorch. */
  linear(name: string, inputs: number, outputs: number, { bias = true } = {}): Linear {
    this.layouts.set(`${name}.weight`, { kind: 'linear', fileShape: [outputs, inputs] });
    const bound = 1 / Math.sqrt(inputs);
    const weight = this.parameters.add(`${name}.weight`, [inputs, outputs], { kind: 'uniform', bound });
    return new Linear(weight, bias ? this.vector(`${name}.bias`, outputs, { kind: 'uniform', bound }) : undefined);
  }

  /** Batch normalization of [batch, height, width, channels]: weight, bias and running statistics. */
  batchNorm(name: string, channels: number): BatchNorm {
    const statistic = (statisticName: string, value: number): Tensor => {
      this.layouts.set(statisticName, { kind: 'vector', fileShape: [channels] });
      return this.statistics.add(statisticName, [channels], { kind: 'constant', value });
    };
    const statistics = (prefix: string): RunningStatistics => ({
      mean: statistic(`${prefix}.running_mean`, 0),
      variance: statistic(`${prefix}.running_var`, 1),
    });
    return {
      name,
      gamma: this.vector(`${name}.weight`, channels, { kind: 'constant', value: 1 }),
      beta: this.vector(`${name}.bias`, channels, { kind: 'constant', value: 0 }),
      ...statistics(name),
      ofDomain: new Map(this.domains.map((domain) => [domain, statistics(`${name}.${domain}`)])),
    };
  }
}

/** What batch normalisation uses in place of a batch's statistics, and what follows these in training. */
export interface RunningStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

export interface BatchNorm extends RunningStatistics {
  readonly name: string;
  readonly gamma: Tensor;
  readonly beta: Tensor;
  /** The running statistics of kinds of images that have their own. */
  readonly ofDomain: ReadonlyMap<string, RunningStatistics>;
}

/** A linear layer, applied to [batch, inputs]. */
export class Linear {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(weight: Tensor, bias: Tensor | undefined) {
    this.weight = weight;
    this.bias = bias;
  }

  /** @param x [batch, inputs] @returns [batch, outputs] */
  apply(x: Tensor): Tensor {
    const product = linear(x, this.weight);
    return this.bias === undefined ? product : addBias(product, this.bias);
  }
}

/**
 * One use of a network's layers: the mode of its batch normalisation, and the statistics that it gathers on the way.
 */
export class ForwardContext {
  readonly mode: BatchNormMode;
  readonly epsilon: number;
  readonly batchStatistics = new Map<string, Tensor>();
  private readonly domain: string | undefined;

  /** @param domain the kind of the images, where batch normalisation has running statistics of its own for it */
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

/** Channels on the device: a multiple of four, so that a pixel is whole vectors; three colours become four. */
export const paddedChannels = (channels: number): number => Math.ceil(channels / 4) * 4;

/** A tensor's values from a file's layout to the device's. */
export function toDevice({ kind, fileShape }: Layout, values: Float32Array): Float32Array {
  if (kind === 'vector') return values;
  const [outputs, inputs, height = 1, width = 1] = fileShape;
  const channels = kind === 'convolution' ? paddedChannels(inputs) : inputs;
  const result = new Float32Array(height * width * channels * outputs);
  forEachWeight([outputs, inputs, height, width], channels, (file, device) => (result[device] = values[file]));
  return result;
}

/** A tensor's values from the device's layout to a file's. */
export function toFile({ kind, fileShape }: Layout, values: Float32Array): Float32Array {
  if (kind === 'vector') return values;
  const [outputs, inputs, height = 1, width = 1] = fileShape;
  const channels = kind === 'convolution' ? paddedChannels(inputs) : inputs;
  const result = new Float32Array(elementCount(fileShape));
  forEachWeight([outputs, inputs, height, width], channels, (file, device) => (result[file] = values[device]));
  return result;
}

function forEachWeight(
  [outputs, inputs, height, width]: readonly [number, number, number, number],
  channels: number,
  visit: (file: number, device: number) => void,
): void {
  let file = 0;
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++)
      for (let h = 0; h < height; h++)
        for (let w = 0; w < width; w++) visit(file++, ((h * width + w) * channels + i) * outputs + o);
}
