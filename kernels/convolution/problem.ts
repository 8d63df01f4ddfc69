import { elementBytes, type FloatType } from '../contract/element-types.ts';
import type { StorageType } from '../contract/storage-type.ts';
import type { Cost } from '../kernel.ts';

/**
 * Sizes of a convolution of NHWC images x with weights [kernelHeight, kernelWidth, inputChannels, outputChannels], and
 * the type in which x, w, y and the gradients of x and y are stored. Sums, scale and shift of an epilogue, statistics and
 * the gradient of w are f32 always.
 */
export interface ConvolutionShape extends StorageType {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly inputChannels: number;
  readonly outputChannels: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
}

/** What is done to a sum before it is stored: y = relu?(sum * scale[o] + shift[o] + residual?). */
export interface Epilogue {
  readonly residual: boolean;
  readonly relu: boolean;
}

export interface ConvolutionProblem extends ConvolutionShape {
  readonly epilogue?: Epilogue;
}

/** The type of a problem whose operands are 16-bit floats. */
export const HALF = { type: 'f16' } as const;

/** Whether both channel counts are multiples of four, so that shaders can load four channels at once. */
export const hasVectors = ({ inputChannels, outputChannels }: ConvolutionShape): boolean =>
  inputChannels % 4 === 0 && outputChannels % 4 === 0;

/**
 * A shape in a line: kernel, stride and padding by one number where both axes have the same.
 *
 * @param rest what a problem has beside its shape
 */
/* @__NO_SIDE_EFFECTS__ */
export function sized<Rest = unknown>(
  batch: number,
  [height, width]: readonly [number, number],
  [inputChannels, outputChannels]: readonly [number, number],
  kernel: number | readonly [number, number] = 1,
  stride: number | readonly [number, number] = 1,
  padding: number | readonly [number, number] = 0,
  rest?: Rest,
): ConvolutionShape & Rest {
  const both = (size: number | readonly [number, number]): readonly [number, number] =>
    typeof size === 'number' ? [size, size] : size;
  return {
    batch,
    height,
    width,
    inputChannels,
    outputChannels,
    kernel: both(kernel),
    stride: both(stride),
    padding: both(padding),
    ...(rest as Rest),
  };
}

/** Height and width of y. */
export function outputSize(shape: ConvolutionShape): readonly [number, number] {
  const along = (size: number, axis: 0 | 1): number =>
    Math.floor((size + 2 * shape.padding[axis] - shape.kernel[axis]) / shape.stride[axis]) + 1;
  return [along(shape.height, 0), along(shape.width, 1)];
}

/** Element counts of x, w and y. */
export function operandSizes(shape: ConvolutionShape): { readonly x: number; readonly w: number; readonly y: number } {
  const [outputHeight, outputWidth] = outputSize(shape);
  return {
    x: shape.batch * shape.height * shape.width * shape.inputChannels,
    w: shape.kernel[0] * shape.kernel[1] * shape.inputChannels * shape.outputChannels,
    y: shape.batch * outputHeight * outputWidth * shape.outputChannels,
  };
}

/**
 * Calls visit(x, w, y) for every output pixel and every tap that meets the image there: with the indices of the input
 * pixel's first channel, of the tap's first weight and of the output pixel's first channel. The loops over channels are
 * the caller's, since a call for each product takes several times as long.
 */
export function forEachTap(shape: ConvolutionShape, visit: (x: number, w: number, y: number) => void): void {
  const [outputHeight, outputWidth] = outputSize(shape);
  const { height, width, inputChannels, outputChannels, kernel, stride, padding } = shape;
  for (let n = 0; n < shape.batch; n++)
    for (let u = 0; u < outputHeight; u++)
      for (let v = 0; v < outputWidth; v++)
        for (let kh = 0; kh < kernel[0]; kh++) {
          const h = u * stride[0] - padding[0] + kh;
          if (h < 0 || h >= height) continue;
          for (let kw = 0; kw < kernel[1]; kw++) {
            const w = v * stride[1] - padding[1] + kw;
            if (w < 0 || w >= width) continue;
            const x = ((n * height + h) * width + w) * inputChannels;
            const y = ((n * outputHeight + u) * outputWidth + v) * outputChannels;
            const tap = (kh * kernel[1] + kw) * inputChannels;
            visit(x, tap * outputChannels, y);
          }
        }
}

/**
 * What a convolution costs in each of its directions, by whatever algorithm: multiply-adds of the direct one, which
 * count two operations, those with padding included; and each operand once.
 */
export function convolutionCost(problem: ConvolutionProblem, weightType: FloatType = problem.type ?? 'f32'): Cost {
  const { x, w, y } = operandSizes(problem);
  const activations = x + y * (problem.epilogue?.residual === true ? 2 : 1);
  return {
    flop: 2 * y * problem.kernel[0] * problem.kernel[1] * problem.inputChannels,
    bytes: elementBytes(problem.type ?? 'f32') * activations + elementBytes(weightType) * w,
  };
}

/** Fewer pixels, and fewer channels that leave the same remainders: the constants of all variants stay as they are. */
export function miniature<Problem extends ConvolutionShape>(problem: Problem): Problem {
  const { batch, height, width, inputChannels, outputChannels, kernel } = problem;
  const fewer = (channels: number): number => Math.min(channels, 64 + (channels % 64));
  return {
    ...problem,
    batch: Math.min(batch, 3),
    height: Math.min(height, kernel[0] + 4),
    width: Math.min(width, kernel[1] + 6),
    inputChannels: fewer(inputChannels),
    outputChannels: fewer(outputChannels),
  };
}
