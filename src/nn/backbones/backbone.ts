import { globalAveragePool, maxPool } from '../../autodiff/ops/pooling.ts';
import { ShapeError, type Tensor } from '../../autodiff/tensor.ts';
import type { BatchNorm, Network } from '../layers.ts';
import type { ForwardContext } from '../forward-context.ts';

/** What every backbone can be built with. */
export interface BackboneShape {
  /** Multiplies every number of channels; 1 is the network of the paper, 0.25 a sixteenth of its work. */
  readonly width: number;
  /**
   * Where a bottleneck block that halves the image does so: in its 3x3 convolution (v1.5, torchvision) or in its first
   * 1x1 (v1, the paper). Networks without bottlenecks are the same either way.
   */
  readonly stride: 'v1.5' | 'v1';
}

/** A convolution without bias, and the batch normalization after it. */
export interface ConvolutionLayer {
  readonly weight: Tensor;
  readonly norm: BatchNorm;
  readonly stride: number;
  readonly padding: number;
  /** The stage that the layer is frozen with, from 1. */
  readonly stage: number;
}

/** A convolution to declare. */
export interface ConvolutionShape {
  /** Names of its weights and of its batch normalization, without `.weight`. */
  readonly names: { readonly convolution: string; readonly norm: string };
  /** Side of its window; the padding is half of it, rounded down. */
  readonly kernel: number;
  /** Channels. */
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
  /** The stage that the layer is frozen with, from 1. */
  readonly stage: number;
}

/** Declares a convolution without bias and its batch normalization in a network. */
export function declareConvolution(
  network: Network,
  { names, kernel, inputs, outputs, stride, stage }: ConvolutionShape,
): ConvolutionLayer {
  return {
    weight: network.convolutionWeight(`${names.convolution}.weight`, kernel, inputs, outputs),
    norm: network.batchNorm(names.norm, outputs),
    stride,
    padding: kernel >> 1,
    stage,
  };
}

/** Checks a width. @throws ShapeError where it gives fractions of channels: all numbers of channels are multiples of 4 */
export function checkWidth(width: number): void {
  if (!Number.isInteger(4 * width) || width <= 0)
    throw new ShapeError(`a width of ${width} gives fractions of channels; use a multiple of 1/4, such as 0.25 or 0.5`);
}

/** Side, stride and padding of a pooling window, in pixels. */
export interface PoolingWindow {
  readonly window: number;
  readonly stride: number;
  readonly padding: number;
}

/** What is computed after a convolution's batch normalization. */
export interface LayerEnd<Value> {
  /** Added before the ReLU; `name` is the addition's. */
  readonly residual?: { readonly value: Value; readonly name: string };
  /** The name of the ReLU; none if left out. */
  readonly relu?: string;
}

/**
 * The operations that backbones consist of. `Backbone.apply` carries them out on tensors, the ONNX export writes nodes
 * of these names: a backbone describes its forward pass once.
 */
export interface LayerOperations<Value> {
  /** relu?(batchNorm(convolution(x)) + residual?) */
  convolution(x: Value, layer: ConvolutionLayer, end?: LayerEnd<Value>): Value;
  /** Max pooling of [batch, height, width, channels]. */
  maxPool(name: string, x: Value, window: PoolingWindow): Value;
  /** From [batch, height, width, channels] to [batch, channels]. */
  globalAveragePool(name: string, x: Value): Value;
}

/** How a backbone is applied. */
export interface BackboneOptions {
  /** So many stages act as at inference and let no gradient through; 0 for none. */
  readonly frozenStages?: number;
  /** Receives the output of the stem and of each block, by name. */
  readonly observe?: (name: string, output: Tensor) => void;
}

/**
 * A network without its classifier, from images [batch, height, width, 4] whose fourth channel is zero to features
 * [batch, `features`]. Its parameters are named as torchvision names them.
 */
export abstract class Backbone {
  /** Components of the features. */
  abstract readonly features: number;
  /** All of its convolutions; the first one reads the images. */
  abstract readonly layers: readonly ConvolutionLayer[];

  /**
   * The forward pass.
   * @param images what `operations` take for them
   * @param observe receives the output of the stem and of each block
   */
  abstract forward<Value>(
    operations: LayerOperations<Value>,
    images: Value,
    observe?: (name: string, output: Value) => void,
  ): Value;

  /**
   * @param images [batch, height, width, 4]
   * @returns [batch, features]
   * @throws RangeError where more stages are to be frozen than there are
   */
  apply(context: ForwardContext, images: Tensor, { frozenStages = 0, observe }: BackboneOptions = {}): Tensor {
    if (frozenStages > this.stages)
      throw new RangeError(`${frozenStages} frozen stages, where the backbone has ${this.stages}; freeze fewer`);
    const operations: LayerOperations<Tensor> = {
      convolution: (x, { weight, norm, stride, padding, stage }, { residual, relu } = {}) =>
        context.convolutionBatchNorm(
          x,
          weight,
          norm,
          { stride, padding, relu: relu !== undefined, residual: residual?.value },
          stage <= frozenStages ? 'eval' : context.mode,
        ),
      maxPool: (_name, x, window) => maxPool(x, window),
      globalAveragePool: (_name, x) => globalAveragePool(x),
    };
    return this.forward(operations, images, observe);
  }

  /** Stages that can be frozen. */
  get stages(): number {
    return Math.max(...this.layers.map(({ stage }) => stage));
  }

  /** The stage that a parameter or running statistic belongs to, from 1; undefined for one of another part. */
  stageOf(name: string): number | undefined {
    return this.layers.find(({ weight, norm }) => name === weight.name || name.startsWith(`${norm.name}.`))?.stage;
  }
}

/** How the files of one source name a backbone's tensors. */
export interface TensorNaming {
  /** Whose names they are, in words. */
  readonly title: string;
  /** The name in such a file of the tensor that is called `name` here. */
  inFile(name: string): string;
  /**
   * The name in such a file of the bias of the convolution whose weight is called `name` here, where the files have
   * biases. Batch normalization takes a bias off again, so that it is subtracted from the running mean.
   */
  biasInFile?(name: string): string;
  /** Names of the classifier's layer, beside the backbone or one level above. */
  readonly classifiers: readonly string[];
}

/** What the registry holds of each backbone. */
export interface BackboneDefinition {
  /** As papers write it. */
  readonly title: string;
  /** Stages that can be frozen; the stem counts to the first. */
  readonly stages: number;
  /** Declares the layers in a network. `buildBackbone` has checked the width. */
  build(network: Network, shape: BackboneShape): Backbone;
  /** The names in files of others. */
  readonly namings: readonly TensorNaming[];
}
