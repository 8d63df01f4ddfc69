import type { Network } from '../layers.ts';
import {
  Backbone,
  declareConvolution,
  type BackboneDefinition,
  type BackboneShape,
  type ConvolutionLayer,
  type LayerOperations,
  type TensorNaming,
} from './backbone.ts';

/** What tells one ResNet from another (He et al., CVPR 2016, table 1). */
export interface ResNetVariant {
  readonly title: string;
  readonly block: keyof typeof BLOCKS;
  /** Blocks of each stage. */
  readonly blocks: readonly [number, number, number, number];
}

interface LayerShape {
  readonly kernel: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
}

/** The convolutions of a block's residual branch, and the ratio of its output channels to its inner channels. */
const BLOCKS = {
  basic: {
    expansion: 1,
    layers: (inputs: number, inner: number, stride: number): LayerShape[] => [
      { kernel: 3, inputs, outputs: inner, stride },
      { kernel: 3, inputs: inner, outputs: inner, stride: 1 },
    ],
  },
  bottleneck: {
    expansion: 4,
    layers(inputs: number, inner: number, stride: number, strideIn: BackboneShape['stride']): LayerShape[] {
      const [first, second] = strideIn === 'v1' ? [stride, 1] : [1, stride];
      return [
        { kernel: 1, inputs, outputs: inner, stride: first },
        { kernel: 3, inputs: inner, outputs: inner, stride: second },
        { kernel: 1, inputs: inner, outputs: 4 * inner, stride: 1 },
      ];
    },
  },
} as const;

/** Inner channels of each stage's blocks. */
const CHANNELS = [64, 128, 256, 512] as const;
const STEM_POOLING = { window: 3, stride: 2, padding: 1 } as const;

/** Convolutions, around which the input passes unchanged or through a 1x1 convolution. */
interface Block {
  readonly name: string;
  readonly layers: readonly ConvolutionLayer[];
  readonly shortcut: ConvolutionLayer | undefined;
}

/** A ResNet (He et al., CVPR 2016), with torchvision's parameter names. Features are [batch, 512 or 2048 * width]. */
export class ResNet extends Backbone {
  readonly features: number;
  readonly layers: readonly ConvolutionLayer[];
  private readonly stem: ConvolutionLayer;
  private readonly blocks: readonly Block[];

  constructor(network: Network, variant: ResNetVariant, { width, stride: strideIn }: BackboneShape) {
    super();
    const scaled = (channels: number): number => channels * width;

    const layers: ConvolutionLayer[] = [];
    const layer = (convolution: string, norm: string, stage: number, shape: LayerShape): ConvolutionLayer => {
      const declared = declareConvolution(network, { names: { convolution, norm }, stage, ...shape });
      layers.push(declared);
      return declared;
    };
    this.stem = layer('conv1', 'bn1', 1, { kernel: 7, inputs: 3, outputs: scaled(64), stride: 2 });

    const { expansion, layers: layersOf } = BLOCKS[variant.block];
    const blocks: Block[] = [];
    let inputs = scaled(64);
    variant.blocks.forEach((count, index) => {
      const stage = index + 1;
      const inner = scaled(CHANNELS[index]);
      const outputs = expansion * inner;
      for (let block = 0; block < count; block++) {
        const name = `layer${stage}.${block}`;
        const stride = block === 0 && stage > 1 ? 2 : 1;
        const branch = layersOf(inputs, inner, stride, strideIn).map((shape, place) =>
          layer(`${name}.conv${place + 1}`, `${name}.bn${place + 1}`, stage, shape),
        );
        const shortcut =
          stride === 1 && inputs === outputs
            ? undefined
            : layer(`${name}.downsample.0`, `${name}.downsample.1`, stage, { kernel: 1, inputs, outputs, stride });
        blocks.push({ name, layers: branch, shortcut });
        inputs = outputs;
      }
    });
    this.blocks = blocks;
    this.layers = layers;
    this.features = inputs;
  }

  forward<Value>(
    operations: LayerOperations<Value>,
    images: Value,
    observe?: (name: string, output: Value) => void,
  ): Value {
    const stem = operations.convolution(images, this.stem, { relu: 'relu' });
    observe?.('conv1', stem);
    let x = operations.maxPool('maxpool', stem, STEM_POOLING);
    for (const { name, layers, shortcut } of this.blocks) {
      const value = shortcut === undefined ? x : operations.convolution(x, shortcut);
      layers.forEach((layer, place) => {
        const residual = place === layers.length - 1 ? { value, name: `${name}.add` } : undefined;
        x = operations.convolution(x, layer, { relu: `${name}.relu${place + 1}`, residual });
      });
      observe?.(name, x);
    }
    return operations.globalAveragePool('avgpool', x);
  }
}

/** The definition of a ResNet for the registry. */
export const resnet = (variant: ResNetVariant): BackboneDefinition => ({
  title: variant.title,
  stages: CHANNELS.length,
  build: (network, shape) => new ResNet(network, variant, shape),
  namings: NAMINGS,
});

const CHILDREN: Readonly<Record<string, string>> = {
  conv1: '0',
  bn1: '1',
  layer1: '4',
  layer2: '5',
  layer3: '6',
  layer4: '7',
};

const NAMINGS: readonly TensorNaming[] = [
  {
    title: "torchvision's and timm's",
    inFile: (name) => name,
    classifiers: ['fc', 'head.fc'],
  },
  {
    title: "torchvision's, its children numbered",
    // As nn.Sequential(*resnet.children()) does.
    inFile(name) {
      const [first, ...rest] = name.split('.');
      return [CHILDREN[first], ...rest].join('.');
    },
    classifiers: ['fc', 'head.fc'],
  },
  {
    title: "Hugging Face's",
    inFile: (name) =>
      name
        .replace(/^conv1\./, 'embedder.embedder.convolution.')
        .replace(/^bn1\./, 'embedder.embedder.normalization.')
        .replace(
          /^layer(\d)\.(\d+)\./,
          (_, stage: string, block: string) => `encoder.stages.${Number(stage) - 1}.layers.${block}.`,
        )
        .replace(/\.downsample\.0\./, '.shortcut.convolution.')
        .replace(/\.downsample\.1\./, '.shortcut.normalization.')
        .replace(
          /\.(conv|bn)(\d)\./,
          (_, kind: string, place: string) =>
            `.layer.${Number(place) - 1}.${kind === 'conv' ? 'convolution' : 'normalization'}.`,
        ),
    classifiers: ['classifier.1'],
  },
];
