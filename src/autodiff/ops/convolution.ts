import { convolution as forwardKernel, outputSize, type ConvolutionShape } from '../../../kernels/convolution.ts';
import { convolutionDataGradient as dataGradientKernel } from '../../../kernels/convolution_data_gradient.ts';
import { convolutionStatistics as statisticsKernel, type ConvolutionStatisticsProblem } from '../../../kernels/convolution_statistics.ts';
import { convolutionWeightGradient as weightGradientKernel } from '../../../kernels/convolution_weight_gradient.ts';
import { apply, use, type Op } from '../op.ts';
import type { Statistics } from './batch-norm.ts';
import { describe, ShapeError, type Node, type Tensor } from '../tensor.ts';

type Pair = readonly [number, number];

export interface ConvolutionOptions {
  /** Pixels between neighbouring outputs, [vertical, horizontal] or one number for both; 1 if left out. */
  readonly stride?: number | Pair;
  /** Zero pixels around the image, likewise; 0 if left out. */
  readonly padding?: number | Pair;
}

/** What an inference network does with a convolution's sums in the same pass: relu?(sum * scale + shift + residual?). */
export interface ConvolutionEpilogue {
  readonly scale: Tensor;
  readonly shift: Tensor;
  readonly residual?: Tensor;
  readonly relu?: boolean;
}

const forward: Op<ConvolutionShape> = {
  name: 'convolution',
  infer: ([, w], shape) => [{ shape: [shape.batch, ...outputSize(shape), shape.outputChannels], name: w.name }],
  lower: ({ attributes, inputs: [x, w], outputs: [y] }) => [use(forwardKernel, attributes, { x, w, y })],
  gradient: (node, [dy], needed) => gradients(node, dy, needed),
};

/** Of x and w, given that of y. The shape is picked out: an attribute more would make another problem of it. */
function gradients(
  { attributes: { batch, height, width, inputChannels, outputChannels, kernel, stride, padding }, inputs: [x, w] }: Node<ConvolutionShape>,
  dy: Tensor | undefined,
  [needX, needW]: readonly boolean[],
): readonly (Tensor | undefined)[] {
  const shape = { batch, height, width, inputChannels, outputChannels, kernel, stride, padding };
  return [dy && needX ? apply(dataGradient, [dy, w], shape)[0] : undefined, dy && needW ? apply(weightGradient, [x, dy], shape)[0] : undefined];
}

const withStatistics: Op<ConvolutionStatisticsProblem> = {
  name: 'convolutionWithStatistics',
  infer: ([, w], { batch, outputChannels, ...shape }) => [
    { shape: [batch, ...outputSize({ batch, outputChannels, ...shape }), outputChannels], name: w.name },
    { shape: [outputChannels], name: `${w.name} mean` },
    { shape: [outputChannels], name: `${w.name} inverse deviation` },
    { shape: [outputChannels], name: `${w.name} variance` },
  ],
  lower: ({ attributes, inputs: [x, w], outputs: [y, mean, inverseDeviation, variance] }) => [use(statisticsKernel, attributes, { x, w, y, mean, inverseDeviation, variance })],
  gradient(node, [dy, ...ofStatistics], needed) {
    if (ofStatistics.some((gradient) => gradient !== undefined)) {
      throw new ShapeError('convolutionWithStatistics: the gradient of the statistics themselves is not defined; use them in normalize alone, whose gradient contains their share');
    }
    return gradients(node, dy, needed);
  },
};

const dataGradient: Op<ConvolutionShape> = {
  name: 'convolutionDataGradient',
  infer: ([, w], { batch, height, width, inputChannels }) => [{ shape: [batch, height, width, inputChannels], name: w.name }],
  lower: ({ attributes, inputs: [dy, w], outputs: [dx] }) => [use(dataGradientKernel, attributes, { dy, w, dx })],
};

const weightGradient: Op<ConvolutionShape> = {
  name: 'convolutionWeightGradient',
  infer: (_, { kernel, inputChannels, outputChannels }) => [{ shape: [...kernel, inputChannels, outputChannels] }],
  lower: ({ attributes, inputs: [x, dy], outputs: [dw] }) => [use(weightGradientKernel, attributes, { x, dy, dw })],
};

const withEpilogue: Op<ConvolutionShape & { readonly relu: boolean }> = {
  name: 'convolutionWithEpilogue',
  infer: forward.infer,
  lower: ({ attributes: { relu, ...shape }, inputs: [x, w, scale, shift, residual], outputs: [y] }) => {
    const epilogue = { relu, residual: residual !== undefined };
    return [use(forwardKernel, { ...shape, epilogue }, { x, w, scale, shift, ...(residual && { residual }), y })];
  },
};

/**
 * y = x * w (cross-correlation, as everywhere in deep learning).
 * @param x [batch, height, width, input channels]
 * @param w [kernel height, kernel width, input channels, output channels]
 * @returns [batch, output height, output width, output channels]
 */
export function convolution(x: Tensor, w: Tensor, options: ConvolutionOptions = {}): Tensor {
  return apply(forward, [x, w], shapeOf(x, w, options))[0];
}

/**
 * A convolution that also gives the statistics of each channel of its y, for `normalize`.
 * No gradient may arrive at them: that of `normalize` is all there is.
 */
export function convolutionWithStatistics(x: Tensor, w: Tensor, { epsilon, ...options }: ConvolutionOptions & { readonly epsilon: number }): Statistics & { readonly y: Tensor } {
  const [y, mean, inverseDeviation, variance] = apply(withStatistics, [x, w], { ...shapeOf(x, w, options), epsilon });
  return { y, mean, inverseDeviation, variance };
}

/** A convolution whose epilogue scales, shifts, adds and clips in the same pass. For inference: it has no gradient. */
export function convolutionWithEpilogue(x: Tensor, w: Tensor, { scale, shift, residual, relu = false }: ConvolutionEpilogue, options: ConvolutionOptions = {}): Tensor {
  return apply(withEpilogue, residual === undefined ? [x, w, scale, shift] : [x, w, scale, shift, residual], { ...shapeOf(x, w, options), relu })[0];
}

/**
 * y = x w, a 1x1 convolution of 1x1 images.
 * @param x [batch, input features]
 * @param w [input features, output features]
 */
export function linear(x: Tensor, w: Tensor): Tensor {
  if (x.shape.length !== 2 || w.shape.length !== 2 || x.shape[1] !== w.shape[0]) {
    throw new ShapeError(`linear: ${describe(x)} times ${describe(w)}; [batch, features] and [features, outputs] were expected`);
  }
  const [batch, inputChannels] = x.shape;
  return apply(linearOp, [x, w], { batch, height: 1, width: 1, inputChannels, outputChannels: w.shape[1], kernel: [1, 1], stride: [1, 1], padding: [0, 0] })[0];
}

const linearOp: Op<ConvolutionShape> = {
  ...forward,
  name: 'linear',
  infer: ([, w], { batch, outputChannels }) => [{ shape: [batch, outputChannels], name: w.name }],
};

function shapeOf(x: Tensor, w: Tensor, { stride = 1, padding = 0 }: ConvolutionOptions): ConvolutionShape {
  if (x.shape.length !== 4 || w.shape.length !== 4 || x.shape[3] !== w.shape[2]) {
    throw new ShapeError(`convolution: ${describe(x)} with weights ${describe(w)}; [batch, height, width, channels] and [height, width, channels, outputs] were expected`);
  }
  const pair = (value: number | Pair): Pair => (typeof value === 'number' ? [value, value] : value);
  const [batch, height, width, inputChannels] = x.shape;
  const shape = { batch, height, width, inputChannels, outputChannels: w.shape[3], kernel: [w.shape[0], w.shape[1]] as const, stride: pair(stride), padding: pair(padding) };
  if (outputSize(shape).some((size) => size < 1)) throw new ShapeError(`convolution: ${describe(x)} is smaller than the kernel of ${describe(w)}`);
  return shape;
}
