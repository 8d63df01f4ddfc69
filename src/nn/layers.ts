import { bias as addBias } from '../autodiff/ops/bias.ts';
import { linear } from '../autodiff/ops/convolution.ts';
import { ParameterStore, type Initial, type Tensor } from '../autodiff/tensor.ts';
import { paddedChannels, type Layout } from './file-layout.ts';

/** Settings of all batch normalizations of a network. */
export interface NetworkSettings {
  /** Added to the variance; 1e-5 as in PyTorch. */
  readonly batchNormEpsilon: number;
  /** Share of the batch in the running statistics; 0.1 as in PyTorch. */
  readonly batchNormMomentum: number;
}

export const DEFAULT_NETWORK_SETTINGS: NetworkSettings = { batchNormEpsilon: 1e-5, batchNormMomentum: 0.1 };

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

  /** @param domains kinds of images for which batch normalization keeps running statistics of their own */
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

  /** Convolution weights, initialized as He et al. (ICCV 2015) for the ReLU, by the number of outputs. */
  convolutionWeight(name: string, kernel: number, inputs: number, outputs: number): Tensor {
    this.layouts.set(name, { kind: 'convolution', fileShape: [outputs, inputs, kernel, kernel] });
    const deviation = Math.sqrt(2 / (outputs * kernel * kernel));
    return this.parameters.add(name, [kernel, kernel, paddedChannels(inputs), outputs], { kind: 'normal', deviation });
  }

  /** A linear layer [inputs] to [outputs], initialized as in PyTorch. */
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

/** What batch normalization uses in place of a batch's statistics, and what follows these in training. */
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
