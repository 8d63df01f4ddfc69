import { globalAveragePool, maxPool } from '../autodiff/ops/pooling.ts';
import { ShapeError, type Tensor } from '../autodiff/tensor.ts';
import type { BatchNorm, Network, Pass } from './layers.ts';

export interface ResNet50Settings {
  /** Multiplies every number of channels; 1 is the network of the paper, 0.25 a sixteenth of its work. */
  readonly width: number;
  /**
   * Where a block that halves the image does so: in its 3x3 convolution (v1.5, torchvision) or in its first 1x1 (v1,
   * the paper).
   */
  readonly stride: 'v1.5' | 'v1';
}

export const DEFAULT_RESNET50: ResNet50Settings = { width: 1, stride: 'v1.5' };

const STAGES = [
  { blocks: 3, channels: 64 },
  { blocks: 4, channels: 128 },
  { blocks: 6, channels: 256 },
  { blocks: 3, channels: 512 },
] as const;

/** What follows the stem. */
export const STEM_POOLING = { window: 3, stride: 2, padding: 1 } as const;

/** Outputs of a block over its inner channels. */
const EXPANSION = 4;

/** A convolution without bias, and the batch normalisation after it. */
export interface ConvolutionLayer {
  readonly weight: Tensor;
  readonly norm: BatchNorm;
  readonly stride: number;
  readonly padding: number;
}

/** Three convolutions, around which the input goes as it is or through a fourth. */
export interface Bottleneck {
  readonly name: string;
  /** 1 to 4, as layer1 to layer4. */
  readonly stage: number;
  readonly layers: readonly [ConvolutionLayer, ConvolutionLayer, ConvolutionLayer];
  readonly shortcut: ConvolutionLayer | undefined;
}

export interface TrunkOptions {
  /** So many stages act as at inference and let no gradient through, the stem with the first of them; 0 for none. */
  readonly frozenStages?: number;
  /** Hears of what comes out of the stem (conv1, with its normalisation and ReLU) and of each block (layer1.0, ...). */
  readonly observe?: (name: string, output: Tensor) => void;
}

/** Whether a parameter or statistic belongs to the first `stages` stages of a ResNet50, to which the stem counts. */
export const inFirstStages = (name: string, stages: number): boolean => {
  const stage = /^(?:conv1|bn1|layer(\d))\./.exec(name);
  return stage !== null && Number(stage[1] ?? 1) <= stages;
};

/**
 * ResNet50 without its classifier (He et al., CVPR 2016), with torchvision's parameter names.
 * Images are [batch, height, width, 4] with the fourth channel zero; features are [batch, 2048 * width].
 */
export class ResNet50 {
  readonly features: number;
  readonly stem: ConvolutionLayer;
  readonly blocks: readonly Bottleneck[];

  constructor(network: Network, settings: Partial<ResNet50Settings> = {}) {
    const { width, stride: strideIn } = { ...DEFAULT_RESNET50, ...settings };
    const scaled = (channels: number): number => channels * width;
    if (!Number.isInteger(scaled(4)) || width <= 0)
      throw new ShapeError(
        `a width of ${width} gives fractions of channels; use a multiple of 1/4, such as 0.25 or 0.5`,
      );

    const layer = (
      convolution: string,
      norm: string,
      kernel: number,
      inputs: number,
      outputs: number,
      stride = 1,
    ): ConvolutionLayer => ({
      weight: network.convolutionWeight(`${convolution}.weight`, kernel, inputs, outputs),
      norm: network.batchNorm(norm, outputs),
      stride,
      padding: kernel >> 1,
    });
    this.stem = layer('conv1', 'bn1', 7, 3, scaled(64), 2);

    const blocks: Bottleneck[] = [];
    let inputs = scaled(64);
    STAGES.forEach((stage, stageIndex) => {
      const inner = scaled(stage.channels);
      const outputs = EXPANSION * inner;
      for (let block = 0; block < stage.blocks; block++) {
        const name = `layer${stageIndex + 1}.${block}`;
        const stride = block === 0 && stageIndex > 0 ? 2 : 1;
        const [first, second] = strideIn === 'v1' ? [stride, 1] : [1, stride];
        blocks.push({
          name,
          stage: stageIndex + 1,
          layers: [
            layer(`${name}.conv1`, `${name}.bn1`, 1, inputs, inner, first),
            layer(`${name}.conv2`, `${name}.bn2`, 3, inner, inner, second),
            layer(`${name}.conv3`, `${name}.bn3`, 1, inner, outputs),
          ],
          shortcut:
            block === 0 ? layer(`${name}.downsample.0`, `${name}.downsample.1`, 1, inputs, outputs, stride) : undefined,
        });
        inputs = outputs;
      }
    });
    this.blocks = blocks;
    this.features = inputs;
  }

  /**
   * @param images [batch, height, width, 4]
   * @returns [batch, features]
   */
  apply(pass: Pass, images: Tensor, { frozenStages = 0, observe }: TrunkOptions = {}): Tensor {
    const inStage =
      (stage: number) =>
      (
        x: Tensor,
        { weight, norm, stride, padding }: ConvolutionLayer,
        end: { relu?: boolean; residual?: Tensor },
      ): Tensor =>
        pass.convolutionBatchNorm(
          x,
          weight,
          norm,
          { stride, padding, ...end },
          stage <= frozenStages ? 'eval' : pass.mode,
        );

    const stem = inStage(1)(images, this.stem, { relu: true });
    observe?.('conv1', stem);
    let x = maxPool(stem, STEM_POOLING);
    for (const { name, stage, layers, shortcut } of this.blocks) {
      const run = inStage(stage);
      const residual = shortcut === undefined ? x : run(x, shortcut, {});
      const inner = run(run(x, layers[0], { relu: true }), layers[1], { relu: true });
      x = run(inner, layers[2], { relu: true, residual });
      observe?.(name, x);
    }
    return globalAveragePool(x);
  }
}
