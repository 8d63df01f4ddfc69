import { LEAST_NORM } from '../../kernels/normalization/l2-normalize.ts';
import type { OnnxAttribute, OnnxConstant, OnnxModel, OnnxNode } from '../formats/onnx.ts';
import type { PixelNormalization } from './pixels.ts';
import type { ConvolutionLayer, LayerOperations } from './backbones/backbone.ts';
import { backboneDefinition } from './backbones/index.ts';
import {
  RetrievalNetwork,
  separatesDomains,
  type ImageDomain,
  type RetrievalNetworkSettings,
} from './retrieval-network.ts';
import { StateMismatchError, type State, type StateTensor } from './state.ts';

/** How images are fed to the exported model. */
export interface RetrievalOnnxOptions {
  /** Side of the images in pixels. */
  readonly imageSize: number;
  readonly pixels: PixelNormalization;
  /**
   * `inside`: the model takes RGB bytes as decoders give them, uint8 [batch, size, size, 3], and normalizes them
   * itself. `outside`: it takes what comes out of that, float32 [batch, 3, size, size].
   */
  readonly preprocessing: 'inside' | 'outside';
  /** Whether an embedding is that of the image alone, or the mean of those of the image and its mirror image. */
  readonly mirrored?: boolean;
  /** The images that it will be given, where the network normalizes sketches and photos apart; photos if left out. */
  readonly domain?: ImageDomain;
  /** Kept in the model beside what is said of its input. */
  readonly metadata?: ReadonlyMap<string, string>;
  readonly version: string;
}

/** The oldest operator set that has all that is needed in today's form, so that old runtimes take the model too. */
const OPSET = 13;

/**
 * The embedding network as an ONNX model: batch normalization folded into the convolutions (in float64), any batch
 * size, output `embeddings` [batch, embedding] of length 1, of an image or of both its views. Nodes are called as the layers of the network are
 * (`layer1.0.conv1`), and so are their outputs.
 * @throws StateMismatchError where the state lacks a tensor, or has one of another shape or that is not finite
 */
export function retrievalOnnx(
  settings: RetrievalNetworkSettings,
  state: State,
  {
    imageSize,
    pixels,
    preprocessing,
    mirrored = false,
    domain = 'photo',
    metadata = new Map(),
    version,
  }: RetrievalOnnxOptions,
): OnnxModel {
  const network = new RetrievalNetwork(settings);
  const nodes: OnnxNode[] = [];
  const constants: OnnxConstant[] = [];
  const apply: Apply = (name, operator, inputs, attributes = {}) => {
    nodes.push({ name, operator, inputs, output: name, attributes });
    return name;
  };
  const constant = (name: string, shape: readonly number[], values: OnnxConstant['values']): string => {
    constants.push({ name, shape, values });
    return name;
  };
  const tensor = (name: string): StateTensor => {
    const found = state.get(name);
    const shape = network.layouts.get(name)?.fileShape ?? [];
    if (found === undefined) throw new StateMismatchError(`the weights have no ${name}, which the network needs`);
    if (found.shape.join() !== shape.join())
      throw new StateMismatchError(
        `${name}: the file has [${found.shape.join(', ')}], the network [${shape.join(', ')}]`,
      );
    if (!found.values.every(Number.isFinite))
      throw new StateMismatchError(
        `${name} holds a NaN or an infinity; a model of it would compute nothing that means anything`,
      );
    return found;
  };

  const convolve = (x: string, { weight, norm, stride, padding }: ConvolutionLayer): string => {
    const { shape } = tensor(weight.name);
    const { mean, variance } = norm.ofDomain.get(domain) ?? norm;
    const folded = foldBatchNorm(
      tensor(weight.name),
      {
        gamma: tensor(norm.gamma.name),
        beta: tensor(norm.beta.name),
        mean: tensor(mean.name),
        variance: tensor(variance.name),
      },
      settings.batchNormEpsilon,
    );
    return apply(
      weight.name.replace(/\.weight$/, ''),
      'Conv',
      [x, constant(weight.name, shape, folded.weight), constant(`${norm.name}.bias`, [shape[0]], folded.bias)],
      window(shape[2], stride, padding),
    );
  };
  const operations: LayerOperations<string> = {
    convolution(x, layer, { residual, relu } = {}) {
      let y = convolve(x, layer);
      if (residual !== undefined) y = apply(residual.name, 'Add', [y, residual.value]);
      return relu === undefined ? y : apply(relu, 'Relu', [y]);
    },
    maxPool: (name, x, pooling) => apply(name, 'MaxPool', [x], window(pooling.window, pooling.stride, pooling.padding)),
    globalAveragePool: (name, x) => apply('flatten', 'Flatten', [apply(name, 'GlobalAveragePool', [x])]),
  };

  const integers = (name: string, ...values: number[]): string =>
    constant(name, [values.length], BigInt64Array.from(values, BigInt));
  /** [batch, 3, size, size] to [2 batch, 3, size, size]: the images, then their mirror images. */
  const withMirrorImages = (x: string): string => {
    const [first, last] = [integers('first column', -1), integers('before the last column', -imageSize - 1)];
    const mirrored = apply('mirror images', 'Slice', [x, first, last, integers('columns', 3), integers('step', -1)]);
    return apply('views', 'Concat', [x, mirrored], { axis: 0 });
  };
  /** [2 batch, embedding] to [batch, embedding]. */
  const meanOfViews = (x: string): string => {
    const halves = apply('halves', 'Reshape', [x, integers('shape of halves', 2, -1, settings.embedding)]);
    return apply('mean of views', 'ReduceMean', [halves], { axes: [0], keepdims: 0 });
  };

  const images = 'images';
  const prepared = preprocessing === 'inside' ? normalize(images, pixels, apply, constant) : images;
  const features = network.backbone.forward(operations, mirrored ? withMirrorImages(prepared) : prepared);
  const [weight, bias] = [tensor('embedding.weight'), tensor('embedding.bias')];
  // y = features weight^T + bias
  const embedded = apply(
    'embedding',
    'Gemm',
    [
      features,
      constant('embedding.weight', weight.shape, weight.values),
      constant('embedding.bias', bias.shape, bias.values),
    ],
    { transB: 1 },
  );
  const leastLength = constant('least length', [], Float32Array.of(LEAST_NORM));
  const unit = (name: string, x: string, of = ''): string => {
    const norm = apply(`${of}norm`, 'ReduceL2', [x], { axes: [1], keepdims: 1 });
    return apply(name, 'Div', [x, apply(`${of}length`, 'Max', [norm, leastLength])]);
  };
  if (mirrored) unit('embeddings', meanOfViews(unit('embeddings of views', embedded, 'view ')));
  else unit('embeddings', embedded);

  const inside = preprocessing === 'inside';
  const described = inside
    ? `RGB bytes, uint8 [batch, ${imageSize}, ${imageSize}, 3]: the image stretched to ${imageSize} x ${imageSize}, transparency on white`
    : `float32 [batch, 3, ${imageSize}, ${imageSize}]: red, green, blue of the image stretched to ${imageSize} x ${imageSize}, each (value / 255 - mean) / std with mean ${pixels.mean.join(' ')}, std ${pixels.deviation.join(' ')}`;
  return {
    name: 'sketchgrad retrieval network',
    description: `${backboneDefinition(settings.backbone).title}, ${settings.embedding} components. Input: ${described}. Output: embeddings of length 1; the dot product of a sketch and a photo is their similarity.`,
    opset: OPSET,
    nodes,
    constants,
    inputs: [
      inside
        ? { name: images, type: 'uint8', shape: ['batch', imageSize, imageSize, 3] }
        : { name: images, type: 'float32', shape: ['batch', 3, imageSize, imageSize] },
    ],
    outputs: [{ name: 'embeddings', type: 'float32', shape: ['batch', settings.embedding] }],
    metadata: new Map([
      ['input', described],
      ['image_size', String(imageSize)],
      ['mean', JSON.stringify(pixels.mean)],
      ['std', JSON.stringify(pixels.deviation)],
      ['preprocessing', preprocessing],
      ...(mirrored ? [['views', 'mirrored'] as const] : []),
      ...(separatesDomains(settings) ? [['domain', domain] as const] : []),
      ...metadata,
    ]),
    producer: { name: 'sketchgrad', version },
  };
}

/** @returns the name of the output, which is the node's */
type Apply = (
  name: string,
  operator: string,
  inputs: readonly string[],
  attributes?: Readonly<Record<string, OnnxAttribute>>,
) => string;

/** From RGB bytes [batch, size, size, 3] to [batch, 3, size, size], (value / 255 - mean) / deviation. */
function normalize(
  images: string,
  { mean, deviation }: PixelNormalization,
  apply: Apply,
  constant: (name: string, shape: readonly number[], values: Float32Array) => string,
): string {
  const planes = apply('pixel planes', 'Transpose', [apply('pixel floats', 'Cast', [images], { to: 1 })], {
    perm: [0, 3, 1, 2],
  });
  const slope = constant(
    'pixel slope',
    [1, 3, 1, 1],
    Float32Array.from(deviation, (value) => 1 / (255 * value)),
  );
  const intercept = constant(
    'pixel intercept',
    [1, 3, 1, 1],
    Float32Array.from(deviation, (value, color) => -mean[color] / value),
  );
  return apply('pixels', 'Add', [apply('scaled pixels', 'Mul', [planes, slope]), intercept]);
}

function window(size: number, stride: number, padding: number): Readonly<Record<string, OnnxAttribute>> {
  return { kernel_shape: [size, size], strides: [stride, stride], pads: [padding, padding, padding, padding] };
}

/** gamma (conv - mean) / sqrt(variance + epsilon) + beta as weights and a bias of the convolution. */
function foldBatchNorm(
  { shape: [outputs], values }: StateTensor,
  { gamma, beta, mean, variance }: Readonly<Record<'gamma' | 'beta' | 'mean' | 'variance', StateTensor>>,
  epsilon: number,
): { readonly weight: Float32Array; readonly bias: Float32Array } {
  const scale = Float64Array.from(
    gamma.values,
    (value, channel) => value / Math.sqrt(variance.values[channel] + epsilon),
  );
  const perOutput = values.length / outputs;
  return {
    weight: values.map((value, index) => value * scale[Math.floor(index / perOutput)]),
    bias: Float32Array.from(beta.values, (value, channel) => value - mean.values[channel] * scale[channel]),
  };
}
