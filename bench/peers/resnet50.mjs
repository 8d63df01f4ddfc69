/**
 * The work that every engine is given: ResNet50 v1.5 as torchvision defines it, with weights, images and labels that
 * a hash of integers yields, so that no file is needed and all engines start from the same bits.
 *
 * He et al., "Deep Residual Learning for Image Recognition", 2016, table 1; v1.5 puts the stride of a block on its
 * 3x3 convolution.
 */

export const CLASSES = 1000;
export const BATCH_NORM_EPSILON = 1e-5;
/** torchvision's sense: the share of the new batch's statistic in the running one. */
export const BATCH_NORM_MOMENTUM = 0.1;
export const LEARNING_RATE = 0.01;
export const MOMENTUM = 0.9;
export const WEIGHT_DECAY = 1e-4;

const IMAGE_STREAM = 1000;
const LABEL_STREAM = 1001;

/**
 * A convolution and the batch norm after it.
 *
 * @typedef {object} Convolution
 * @property {string} name torchvision's name of the convolution
 * @property {string} norm torchvision's name of the batch norm
 * @property {number} position of the weight in torchvision's named_parameters(); the batch norm's weight and bias
 *   are at position + 1 and position + 2
 * @property {number} index counts the convolutions, and with them the running statistics, from 0
 * @property {number} input channels
 * @property {number} output channels
 * @property {number} kernel height and width
 * @property {number} stride
 * @property {number} padding on each side
 */

/**
 * @returns {{ stem: Convolution, blocks: Array<{ main: Convolution[], downsample: Convolution | null }>, fc: number }}
 */
function defineResNet50() {
  let index = 0;
  const convolution = (name, norm, input, output, kernel, stride) => ({
    name,
    norm,
    position: 3 * index,
    index: index++,
    input,
    output,
    kernel,
    stride,
    padding: (kernel - 1) / 2,
  });

  const stem = convolution('conv1', 'bn1', 3, 64, 7, 2);
  const blocks = [];
  let channels = 64;
  [3, 4, 6, 3].forEach((depth, stage) => {
    const width = 64 << stage;
    for (let block = 0; block < depth; block++) {
      const path = `layer${stage + 1}.${block}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const main = [
        convolution(`${path}.conv1`, `${path}.bn1`, channels, width, 1, 1),
        convolution(`${path}.conv2`, `${path}.bn2`, width, width, 3, stride),
        convolution(`${path}.conv3`, `${path}.bn3`, width, 4 * width, 1, 1),
      ];
      const downsample =
        block > 0 ? null : convolution(`${path}.downsample.0`, `${path}.downsample.1`, channels, 4 * width, 1, stride);
      blocks.push({ main, downsample });
      channels = 4 * width;
    }
  });
  return { stem, blocks, fc: 3 * index };
}

export const RESNET50 = defineResNet50();

/** All 53 convolutions in torchvision's order, so that convolutions[i].index === i. */
export const CONVOLUTIONS = [
  RESNET50.stem,
  ...RESNET50.blocks.flatMap(({ main, downsample }) => (downsample ? [...main, downsample] : main)),
];

/** A bijection of 32-bit integers that leaves no visible pattern (xor-shift and multiply rounds). */
function hash(x) {
  x ^= x >>> 16;
  x = Math.imul(x, 0x21f0aaad);
  x ^= x >>> 15;
  x = Math.imul(x, 0x735a2d97);
  x ^= x >>> 15;
  return x >>> 0;
}

/** The values of one stream, each in [-1, 1). */
function stream(number) {
  const seed = hash(number + 0x9e3779b9);
  return (index) => (hash((index + seed) | 0) / 2 ** 32) * 2 - 1;
}

function generate(streamNumber, length, transform) {
  const value = stream(streamNumber);
  return Float32Array.from({ length }, (_, index) => transform(value(index)));
}

/**
 * The 161 parameters in torchvision's order and layout (convolutions OIHW, fc [1000, 2048]).
 *
 * @returns {Array<{ name: string, shape: number[], values: Float32Array }>}
 */
export function initialParameters() {
  const parameters = [];
  const add = (name, shape, transform) => {
    const length = shape.reduce((product, extent) => product * extent, 1);
    parameters.push({ name, shape, values: generate(parameters.length, length, transform) });
  };
  for (const { name, norm, input, output, kernel } of CONVOLUTIONS) {
    const bound = Math.sqrt(6 / (output * kernel * kernel));
    add(`${name}.weight`, [output, input, kernel, kernel], (value) => value * bound);
    add(`${norm}.weight`, [output], (value) => 1 + 0.2 * value);
    add(`${norm}.bias`, [output], (value) => 0.1 * value);
  }
  add('fc.weight', [CLASSES, 2048], (value) => value / Math.sqrt(2048));
  add('fc.bias', [CLASSES], (value) => 0.1 * value);
  return parameters;
}

/** Normalised images, NCHW: [batch, 3, size, size]. */
export function images(batch, size) {
  return generate(IMAGE_STREAM, batch * 3 * size * size, (value) => 1.5 * value);
}

/** One class index an image. */
export function labels(batch) {
  const value = stream(LABEL_STREAM);
  return Int32Array.from({ length: batch }, (_, index) => Math.floor(((value(index) + 1) / 2) * CLASSES));
}

/**
 * The network for inference: each batch norm, with running mean 0 and variance 1, folded into its convolution. Every
 * engine gets these weights, because folding is the usual preparation for inference and none of them depends on it.
 *
 * @returns {{ convolutions: Array<{ weight: Float32Array, bias: Float32Array }>, fc: { weight: Float32Array, bias:
 * Float32Array } }}
 *   convolutions in the order of CONVOLUTIONS, weights OIHW
 */
export function foldedParameters() {
  const parameters = initialParameters();
  const inverseDeviation = 1 / Math.sqrt(1 + BATCH_NORM_EPSILON);
  const convolutions = CONVOLUTIONS.map(({ position, output }) => {
    const [weight, scale, bias] = parameters.slice(position, position + 3).map(({ values }) => values);
    const perOutput = weight.length / output;
    return {
      weight: weight.map((value, index) => value * scale[Math.floor(index / perOutput)] * inverseDeviation),
      bias,
    };
  });
  const [weight, bias] = parameters.slice(RESNET50.fc).map(({ values }) => values);
  return { convolutions, fc: { weight, bias } };
}

/**
 * Reorders the axes of a dense tensor.
 *
 * @param {Float32Array} values
 * @param {number[]} shape of values
 * @param {number[]} order result axis i is source axis order[i]
 */
export function permute(values, shape, order) {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
  const extents = order.map((axis) => shape[axis]);
  const steps = order.map((axis) => strides[axis]);
  const result = new Float32Array(values.length);
  const coordinate = extents.map(() => 0);
  for (let target = 0, source = 0; target < result.length; target++) {
    result[target] = values[source];
    for (let axis = extents.length - 1; axis >= 0; axis--) {
      source += steps[axis];
      if (++coordinate[axis] < extents[axis]) break;
      source -= steps[axis] * extents[axis];
      coordinate[axis] = 0;
    }
  }
  return result;
}
