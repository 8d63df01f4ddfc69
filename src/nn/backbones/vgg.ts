import { type Network } from '../layers.ts';
import {
  Backbone,
  declareConvolution,
  type BackboneDefinition,
  type BackboneShape,
  type ConvolutionLayer,
  type LayerOperations,
  type TensorNaming,
} from './backbone.ts';

/** What tells one VGG from another (Simonyan and Zisserman, ICLR 2015, table 1). */
export interface VGGVariant {
  readonly title: string;
  /** 3x3 convolutions of each stage. */
  readonly convolutions: readonly [number, number, number, number, number];
}

/** Outputs of each stage's convolutions. */
const CHANNELS = [64, 128, 256, 512, 512] as const;
const POOLING = { window: 2, stride: 2, padding: 0 } as const;

/** A convolution, the ReLU after it, and the max pooling where it ends a stage. */
interface Step {
  readonly layer: ConvolutionLayer;
  readonly relu: string;
  readonly pooling: string | undefined;
}

/**
 * A VGG with batch normalization, with torchvision's parameter names. A global average pool takes the place of the three
 * linear layers, so that images may have any size from 32; convolutions have no bias, which batch normalization would take
 * off again. Features are [batch, 512 * width].
 */
export class VGG extends Backbone {
  readonly features: number;
  readonly layers: readonly ConvolutionLayer[];
  private readonly steps: readonly Step[];

  constructor(network: Network, { convolutions }: VGGVariant, { width }: BackboneShape) {
    super();
    const steps: Step[] = [];
    let inputs = 3;
    // torchvision numbers all modules of `features`: convolution, batch normalization, ReLU, pooling.
    let module = 0;
    const next = (): string => `features.${module++}`;
    convolutions.forEach((count, index) => {
      const outputs = CHANNELS[index] * width;
      for (let place = 1; place <= count; place++) {
        const names = { convolution: next(), norm: next() };
        const layer = declareConvolution(network, { names, kernel: 3, inputs, outputs, stride: 1, stage: index + 1 });
        steps.push({ layer, relu: next(), pooling: place === count ? next() : undefined });
        inputs = outputs;
      }
    });
    this.steps = steps;
    this.layers = steps.map(({ layer }) => layer);
    this.features = inputs;
  }

  forward<Value>(
    operations: LayerOperations<Value>,
    images: Value,
    observe?: (name: string, output: Value) => void,
  ): Value {
    let x = images;
    for (const { layer, relu, pooling } of this.steps) {
      x = operations.convolution(x, layer, { relu });
      observe?.(relu, x);
      if (pooling !== undefined) x = operations.maxPool(pooling, x, POOLING);
    }
    return operations.globalAveragePool('avgpool', x);
  }
}

/** The definition of a VGG with batch normalization for the registry. */
export const vgg = (variant: VGGVariant): BackboneDefinition => ({
  title: variant.title,
  stages: CHANNELS.length,
  build: (network, shape) => new VGG(network, variant, shape),
  namings: NAMINGS,
});

const NAMINGS: readonly TensorNaming[] = [
  {
    title: "torchvision's and timm's",
    inFile: (name) => name,
    biasInFile: (name) => name.replace(/weight$/, 'bias'),
    // Theirs classifies other features, by three linear layers; this one is of classifiers that were trained here.
    classifiers: ['fc'],
  },
];
