import { convolution as forwardKernel } from '../../../kernels/convolution/forward.ts';
import { outputSize, type ConvolutionShape } from '../../../kernels/convolution/problem.ts';
import { convolutionDataGradient as dataGradientKernel } from '../../../kernels/convolution/data-gradient.ts';
import {
  convolutionStatistics as statisticsKernel,
  type ConvolutionStatisticsProblem,
} from '../../../kernels/convolution/statistics.ts';
import { convolutionWeightGradient as weightGradientKernel } from '../../../kernels/convolution/weight-gradient.ts';
import type { Kernel } from '../../../kernels/kernel.ts';
import { checkNumber, checkOptions, checkShape, pairOf } from '../attributes.ts';
import { apply, cast, type GradientRule, type KernelUse, type Op, use, type OpExamples } from '../op.ts';
import type { Statistics } from './batch-norm.ts';
import { describe, floatType, ShapeError, type Tensor } from '../tensor.ts';

type Pair = readonly [number, number];

/** Settings of a convolution. */
export interface ConvolutionOptions {
  /** Pixels between neighboring outputs, [vertical, horizontal] or one number for both; 1 if left out. */
  readonly stride?: number | Pair;
  /** Zero pixels on each side of the image, likewise; 0 if left out. */
  readonly padding?: number | Pair;
}

/**
 * What an inference network does with a convolution's sums in the same pass: relu?(sum * scale + shift + residual?).
 * @internal
 */
export interface ConvolutionEpilogue {
  readonly scale: Tensor;
  readonly shift: Tensor;
  readonly residual?: Tensor;
  readonly relu?: boolean;
}

/**
 * A kernel at work, on operands of the type of the activations. Weights are f32, and stay so: where the activations are
 * f16 they are downcast right before each pass that reads them, into memory that is free again after it.
 */
function useOf<Problem extends ConvolutionShape>(
  kernel: Kernel<Problem>,
  activations: Tensor,
  shape: Problem,
  operands: Readonly<Record<string, Tensor>>,
): readonly KernelUse[] {
  const type = floatType(activations);
  const problem = type === 'f32' ? shape : { ...shape, type };
  const { w } = operands;
  if (w === undefined || w.type === type) return [use(kernel, problem, operands)];
  const downcast = cast(w, type);
  const before = downcast.origin.kind === 'node' ? downcast.origin.node.op.lower(downcast.origin.node, new Map()) : [];
  return [...before, use(kernel, problem, { ...operands, w: downcast })];
}

const forward: Op<ConvolutionShape> = {
  name: 'convolution',
  supportsF16: true,
  infer: ([x, w], shape) => [
    { shape: [shape.batch, ...outputSize(shape), shape.outputChannels], type: x.type, name: w.name },
  ],
  lower: ({ attributes, inputs: [x, w], outputs: [y] }) => useOf(forwardKernel, x, attributes, { x, w, y }),
  gradient: 'convolutionGradient',
};

/** The shape is picked out: an attribute more would make another problem of it. */
export const convolutionGradient: GradientRule<ConvolutionShape> = (
  { attributes: { batch, height, width, inputChannels, outputChannels, kernel, stride, padding }, inputs: [x, w] },
  [dy],
  [needX, needW],
) => {
  const shape = { batch, height, width, inputChannels, outputChannels, kernel, stride, padding };
  const [ofData, ofWeights] =
    x.shape.length === 2 ? [linearDataGradient, linearWeightGradient] : [dataGradient, weightGradient];
  return [
    dy && needX ? apply(ofData, [dy, w], shape)[0] : undefined,
    dy && needW ? apply(ofWeights, [x, dy], shape)[0] : undefined,
  ];
};

const withStatistics: Op<ConvolutionStatisticsProblem> = {
  name: 'convolutionWithStatistics',
  supportsF16: true,
  infer: ([x, w], { batch, outputChannels, ...shape }) => [
    { shape: [batch, ...outputSize({ batch, outputChannels, ...shape }), outputChannels], type: x.type, name: w.name },
    { shape: [outputChannels], name: `${w.name} mean` },
    { shape: [outputChannels], name: `${w.name} inverse deviation` },
    { shape: [outputChannels], name: `${w.name} variance` },
  ],
  lower: ({ attributes, inputs: [x, w], outputs: [y, mean, inverseDeviation, variance] }) =>
    useOf(statisticsKernel, x, attributes, { x, w, y, mean, inverseDeviation, variance }),
  gradient: 'convolutionGradient',
};

const dataGradient: Op<ConvolutionShape> = {
  name: 'convolutionDataGradient',
  supportsF16: true,
  infer: ([dy, w], { batch, height, width, inputChannels }) => [
    { shape: [batch, height, width, inputChannels], type: dy.type, name: w.name },
  ],
  lower: ({ attributes, inputs: [dy, w], outputs: [dx] }) => useOf(dataGradientKernel, dy, attributes, { dy, w, dx }),
};

/** f32 whatever the activations are: it goes right into the gradients of the master weights. */
const weightGradient: Op<ConvolutionShape> = {
  name: 'convolutionWeightGradient',
  supportsF16: true,
  infer: (_, { kernel, inputChannels, outputChannels }) => [{ shape: [...kernel, inputChannels, outputChannels] }],
  lower: ({ attributes, inputs: [x, dy], outputs: [dw] }) => useOf(weightGradientKernel, x, attributes, { x, dy, dw }),
};

// The same for matrices, whose shapes have two axes.
const linearDataGradient: Op<ConvolutionShape> = {
  name: 'linearDataGradient',
  supportsF16: true,
  infer: ([dy, w], { batch, inputChannels }) => [{ shape: [batch, inputChannels], type: dy.type, name: w.name }],
  lower: (node, granted) => dataGradient.lower(node, granted),
};

const linearWeightGradient: Op<ConvolutionShape> = {
  name: 'linearWeightGradient',
  supportsF16: true,
  infer: (_, { inputChannels, outputChannels }) => [{ shape: [inputChannels, outputChannels] }],
  lower: (node, granted) => weightGradient.lower(node, granted),
};

const withEpilogue: Op<ConvolutionShape & { readonly relu: boolean }> = {
  name: 'convolutionWithEpilogue',
  supportsF16: true,
  infer: forward.infer,
  lower: ({ attributes: { relu, ...shape }, inputs: [x, w, scale, shift, residual], outputs: [y] }) => {
    const epilogue = { relu, residual: residual !== undefined };
    return useOf(forwardKernel, x, { ...shape, epilogue }, { x, w, scale, shift, ...(residual && { residual }), y });
  },
};

/**
 * y = x * w (cross-correlation, as everywhere in deep learning).
 * @param x [batch, height, width, input channels]
 * @param w [kernel height, kernel width, input channels, output channels] Accuracy: within 2^-24 * (4 sqrt(K) + 2) of
 * the sum of magnitudes of its K products; see docs/kernels/convolution/winograd.md for 3x3 by Winograd.
 * @returns [batch, output height, output width, output channels]; f16 where x is
 */
export function convolution(x: Tensor, w: Tensor, options: ConvolutionOptions = {}): Tensor {
  const shape = shapeOf('convolution', x, w, options);
  return apply(forward, [x, w], shape)[0];
}

/**
 * A convolution that also gives the statistics of each channel of its y, for `normalize`, whose gradient contains their
 * share. Any other loss that depends on them is a GradientError. Accuracy: that of `batchNorm`, of the y that is
 * computed.
 * @internal
 */
export function convolutionWithStatistics(
  x: Tensor,
  w: Tensor,
  { epsilon, ...options }: ConvolutionOptions & { readonly epsilon: number },
): Statistics & { readonly y: Tensor } {
  const shape = shapeOf('convolutionWithStatistics', x, w, options);
  checkNumber('convolutionWithStatistics', 'epsilon', epsilon, 0);
  const [y, mean, inverseDeviation, variance] = apply(withStatistics, [x, w], { ...shape, epsilon });
  return { y, mean, inverseDeviation, variance };
}

/** A convolution whose epilogue scales, shifts, adds and clips in the same pass. For inference: it has no gradient. @internal */
export function convolutionWithEpilogue(
  x: Tensor,
  w: Tensor,
  epilogue: ConvolutionEpilogue,
  options: ConvolutionOptions = {},
): Tensor {
  const op = 'convolutionWithEpilogue';
  checkOptions(op, epilogue, ['scale', 'shift', 'residual', 'relu']);
  const { scale, shift, residual, relu = false } = epilogue;
  const shape = shapeOf(op, x, w, options);
  checkShape(op, [shape.outputChannels], scale, shift);
  checkShape(op, [shape.batch, ...outputSize(shape), shape.outputChannels], residual);
  const inputs = [x, w, scale, shift];
  return apply(withEpilogue, residual === undefined ? inputs : [...inputs, cast(residual, floatType(x))], {
    ...shape,
    relu,
  })[0];
}

/**
 * y = x w, a 1x1 convolution of 1x1 images. Accuracy: that of `convolution`.
 * @param x [batch, input features]
 * @param w [input features, output features]
 */
export function linear(x: Tensor, w: Tensor): Tensor {
  if (x.shape.length !== 2 || w.shape.length !== 2 || x.shape[1] !== w.shape[0]) {
    throw new ShapeError(
      `linear: ${describe(x)} times ${describe(w)}; [batch, features] and [features, outputs] were expected`,
    );
  }
  const [batch, inputChannels] = x.shape;
  const shape: ConvolutionShape = {
    batch,
    height: 1,
    width: 1,
    inputChannels,
    outputChannels: w.shape[1],
    kernel: [1, 1],
    stride: [1, 1],
    padding: [0, 0],
  };
  return apply(linearOp, [x, w], shape)[0];
}

const linearOp: Op<ConvolutionShape> = {
  ...forward,
  name: 'linear',
  infer: ([x, w], { batch, outputChannels }) => [{ shape: [batch, outputChannels], type: x.type, name: w.name }],
};

function shapeOf(op: string, x: Tensor, w: Tensor, options: ConvolutionOptions): ConvolutionShape {
  checkOptions(op, options, ['stride', 'padding']);
  const { stride = 1, padding = 0 } = options;
  if (x.shape.length !== 4 || w.shape.length !== 4 || x.shape[3] !== w.shape[2]) {
    throw new ShapeError(
      `${op}: ${describe(x)} with weights ${describe(w)}; [batch, height, width, channels] and [height, width, channels, outputs] were expected`,
    );
  }
  const [batch, height, width, inputChannels] = x.shape;
  const shape = {
    batch,
    height,
    width,
    inputChannels,
    outputChannels: w.shape[3],
    kernel: [w.shape[0], w.shape[1]] as const,
    stride: pairOf(op, 'stride', stride, 1),
    padding: pairOf(op, 'padding', padding, 0),
  };
  if (outputSize(shape).some((size) => size < 1))
    throw new ShapeError(`${op}: ${describe(x)} is smaller than the kernel of ${describe(w)}`);
  return shape;
}

export const examples: OpExamples = {
  linear: { inputs: { x: [5, 7], w: [7, 6] }, apply: ({ x, w }) => [linear(x, w)], reduction: 7 },
};
