import { globalAveragePool, maxPool } from '../../autodiff/ops/pooling.ts';
import type { Tensor } from '../../autodiff/tensor.ts';
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

/** A convolution without bias, and the batch normalisation after it. */
export interface ConvolutionLayer {
  readonly weight: Tensor;
  readonly norm: BatchNorm;
  readonly stride: number;
  readonly padding: number;
  /** The stage that the layer is frozen with, from 1. */
  readonly stage: number;
}

/** Side, stride and padding of a pooling window, in pixels. */
export interface PoolingWindow {
  readonly window: number;
  readonly stride: number;
  readonly padding: number;
}

/** What is computed after a convolution's batch normalisation. */
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
   */
  apply(context: ForwardContext, images: Tensor, { frozenStages = 0, observe }: BackboneOptions = {}): Tensor {
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
  /** Names of the classifier's layer, beside the backbone or one level above. */
  readonly classifiers: readonly string[];
}

/** What the registry holds of each backbone. */
export interface BackboneDefinition {
  /** As papers write it. */
  readonly title: string;
  /** Stages that can be frozen; the stem counts to the first. */
  readonly stages: number;
  /** Declares the layers in a network. @throws ShapeError where the width gives fractions of channels */
  build(network: Network, shape: BackboneShape): Backbone;
  /** The names in files of others. */
  readonly namings: readonly TensorNaming[];
}
