import {
  ceilDivide,
  elementBytes,
  sliceable,
  type AdapterTraits,
  type Dispatch,
  type ElementType,
  type Word,
} from '../contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { weightStationaryCalls } from './software/weight-stationary.ts';
import { directLoops } from './direct.ts';
import { matrixTiles, withUnits } from './gpu/matrix-units.ts';
import { vectorTiles, type Gather } from './gpu/tiles.ts';
import { sumError, EPSILON, type Kernel, type KernelCall, type Operand } from '../kernel.ts';
import { upcast } from './upcast.ts';
import type { ConvolutionShape, Epilogue } from './problem.ts';
import { isWinograd, withWinograd } from './winograd.ts';

export type { ConvolutionShape, Epilogue };

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

export interface ConvolutionProblem extends ConvolutionShape {
  readonly epilogue?: Epilogue;
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

/** Multiply-adds count two operations; products with padding are not counted where whole rows are concerned. */
export function convolutionFlop(shape: ConvolutionShape): number {
  const { y } = operandSizes(shape);
  return 2 * y * shape.kernel[0] * shape.kernel[1] * shape.inputChannels;
}

/** Which way the gather kernels run: x to y, or the gradient of y to the gradient of x. */
export type Direction = 'forward' | 'dataGradient';

/**
 * The launches of a gather convolution over operands `source`, `weights`, `destination` (and scale, shift, residual for
 * the epilogue), the variant to prefer on this adapter first. data-gradient.ts runs them the other way;
 * half-precision.ts has all but scale and shift as 16-bit floats, and only the tiles can do that.
 *
 * @param ofDirection variants that one direction alone has, where a processor calculates in software
 */
export function gatherCalls(
  shape: ConvolutionShape,
  direction: Direction,
  epilogue: Epilogue | undefined,
  traits: AdapterTraits,
  names: { readonly source: string; readonly destination: string },
  element: 'f32' | 'f16' = 'f32',
  ofDirection: (gather: Gather, traits: AdapterTraits) => KernelCall[] = () => [],
): KernelCall[] {
  const sizes = operandSizes(shape);
  const [outputHeight, outputWidth] = outputSize(shape);
  const forward = direction === 'forward';
  const x = { height: shape.height, width: shape.width, channels: shape.inputChannels };
  const y = { height: outputHeight, width: outputWidth, channels: shape.outputChannels };
  const [source, destination] = forward ? [x, y] : [y, x];
  const phases = forward ? ([1, 1] as const) : shape.stride;
  const pixelsOf = (images: number): number =>
    images * ceilDivide(destination.height, phases[0]) * ceilDivide(destination.width, phases[1]);
  const pixels = pixelsOf(shape.batch);
  // WebGPU wants every binding of a shader bound; what the epilogue does not use is a vector or two of scratch.
  const epilogueOperand = (used: boolean, length: number, type: ElementType = 'f32'): Operand => ({
    role: used ? 'input' : 'scratch',
    type,
    length: used ? length : 8,
  });
  const destinationLength = forward ? sizes.y : sizes.x;
  const operands: Record<string, Operand> = {
    [names.source]: { role: 'input', type: element, length: forward ? sizes.x : sizes.y },
    w: { role: 'input', type: element, length: sizes.w },
    [names.destination]: { role: 'output', type: element, length: destinationLength },
    scale: epilogueOperand(epilogue !== undefined, destination.channels),
    shift: epilogueOperand(epilogue !== undefined, destination.channels),
    residual: epilogueOperand(epilogue?.residual === true, destinationLength, element),
  };
  const flags = {
    DATA_GRADIENT: !forward,
    AFFINE: epilogue !== undefined,
    RESIDUAL: epilogue?.residual === true,
    RELU: epilogue?.relu === true,
  };
  const parametersOf = (images: number): readonly Word[] => [
    images,
    source.height,
    source.width,
    source.channels,
    destination.height,
    destination.width,
    destination.channels,
    ...shape.kernel,
    ...shape.stride,
    ...shape.padding,
  ];
  const order = [names.source, 'w', names.destination, 'scale', 'shift', 'residual'];
  const sourceImage = source.height * source.width * source.channels;
  const destinationImage = destination.height * destination.width * destination.channels;
  const perImage = {
    [names.source]: sourceImage,
    [names.destination]: destinationImage,
    ...(epilogue?.residual === true && { residual: destinationImage }),
  };
  const byImages: Gather['byImages'] = (launch) =>
    sliceable(shape.batch, perImage, (images) => launch(parametersOf(images), pixelsOf(images)));

  const gather: Gather = {
    shape,
    forward,
    epilogue,
    sourceChannels: source.channels,
    destinationChannels: destination.channels,
    phases,
    pixels,
    byImages,
    flags,
    operands,
    order,
    element,
    target: element,
  };
  const byInvocations = vectorTiles(gather, traits);
  const byUnits = matrixTiles(gather, traits);
  const cost = { flop: convolutionFlop(shape), bytes: elementBytes(element) * (sizes.x + sizes.w + sizes.y) };
  const byVectors = withUnits(byInvocations, byUnits, cost, traits);
  if (element === 'f16') {
    // Nothing but tiles has a 16-bit form. What a processor in software prefers to them is better upcast than done
    // without.
    const direct =
      traits.kind === 'cpu' && byVectors.length > 0
        ? gatherCalls(shape, direction, epilogue, traits, names, 'f32', ofDirection).filter(
            ({ errorBound }) => errorBound === undefined,
          )[0]
        : undefined;
    return [...(direct === undefined ? [] : [upcast(direct, operands, traits)]), ...byVectors];
  }
  const tiled = byVectors.length > 0 ? byVectors : scalarTiles();
  const blocks = [...ofDirection(gather, traits), ...weightStationaryCalls(gather, traits)];
  // A processor that calculates in software prefers registers; a GPU prefers its workgroup memory.
  const direct = traits.kind === 'cpu' ? [...blocks, ...tiled] : [...tiled, ...blocks];
  const loops = directLoops(gather);
  if (!isWinograd(shape.kernel, shape.stride, shape.padding)) return [...direct, ...loops];
  // The gradient of a convolution is one with flipped weights, whose padding makes the sizes fit.
  const padding = forward ? shape.padding : ([2 - shape.padding[0], 2 - shape.padding[1]] as const);
  const variants = withWinograd(
    direct,
    {
      batch: shape.batch,
      source,
      destination,
      padding,
      dataGradient: !forward,
      affine: flags.AFFINE,
      residual: flags.RESIDUAL,
      relu: flags.RELU,
      names,
    },
    operands,
    traits,
  );
  return [...variants, ...loops];

  /** Where channels are not multiples of four. */
  function scalarTiles(): KernelCall[] {
    return tileSides(pixels * phases[0] * phases[1], destination.channels, traits).map((side) => ({
      variant: `tiled scalar ${4 * side}x${4 * side}x${side}`,
      operands,
      dispatches: [
        byImages((parameters, pixelsOfSlice): Dispatch => ({
          shader: shaders.convolutionTiledScalar,
          libraries: [shaders.convolutionAxis],
          constants: { ...flags, SIDE: side },
          parameters,
          operands: order,
          workgroups: [
            ceilDivide(pixelsOfSlice, 4 * side),
            ceilDivide(destination.channels, 4 * side),
            phases[0] * phases[1],
          ],
        })),
      ],
    }));
  }
}

/**
 * Tiles of workgroup memory of a product with this many rows and columns: the larger ones, unless they leave processors
 * idle.
 */
export function tileSides(rows: number, columns: number, traits: AdapterTraits): readonly number[] {
  const BUSY_WORKGROUPS = 256;
  const large = ceilDivide(rows, 64) * ceilDivide(columns, 64);
  const sides = large >= BUSY_WORKGROUPS ? [16, 8] : [8, 16];
  return sides.filter((side) => side * side <= traits.maxWorkgroupInvocations);
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

/**
 * Few pixels, whose accumulators are resident from K-tile to K-tile: plain, strided and under 3x3 taps, with the epilogues of
 * inference.
 */
export const FEW_PIXELS: readonly ConvolutionProblem[] = [
  sized(1, [5, 7], [128, 124], 1, 1, 0, { epilogue: { residual: false, relu: true } }),
  sized(1, [5, 7], [128, 124], 1, 1, 0, { epilogue: { residual: true, relu: true } }),
  sized(2, [5, 7], [128, 124], 1, 2, 0, { epilogue: { residual: false, relu: false } }),
  sized(1, [7, 11], [64, 124], 3, 1, 1, { epilogue: { residual: false, relu: true } }),
  sized(7, [5, 7], [64, 124], 3, 2, 1, { epilogue: { residual: false, relu: true } }),
];

/**
 * y = relu?((x * w) scale + shift + residual): operands x, w, (scale, shift, residual) to y. 1x1 is a matrix product,
 * KxK an implicit one.
 */
export const convolution: Kernel<ConvolutionProblem> = {
  name: 'convolution',
  calls: (problem, traits) =>
    gatherCalls(problem, 'forward', problem.epilogue, traits, { source: 'x', destination: 'y' }),
  reference: (problem, { x, w, scale, shift, residual }) => {
    const { y: length } = operandSizes(problem);
    const value = new Float64Array(length);
    const magnitude = new Float64Array(length);
    const { inputChannels, outputChannels } = problem;
    forEachTap(problem, (pixel, tap, output) => {
      for (let i = 0, weight = tap; i < inputChannels; i++)
        for (let o = output; o < output + outputChannels; o++, weight++) {
          const product = x[pixel + i] * w[weight];
          value[o] += product;
          magnitude[o] += Math.abs(product);
        }
    });
    const terms = problem.kernel[0] * problem.kernel[1] * problem.inputChannels;
    const error = magnitude.map((sum) => sumError(terms, sum));
    if (problem.epilogue !== undefined) {
      const { residual: add, relu } = problem.epilogue;
      for (let o = 0; o < length; o++) {
        const channel = o % problem.outputChannels;
        const product = value[o] * scale[channel];
        const sum = product + shift[channel] + (add ? residual[o] : 0);
        error[o] =
          error[o] * Math.abs(scale[channel]) +
          EPSILON * (Math.abs(product) + Math.abs(product + shift[channel]) + Math.abs(sum));
        value[o] = relu ? Math.max(sum, 0) : sum;
      }
    }
    return { y: { value, error } };
  },
  cost: (problem) => {
    const { x, w, y } = operandSizes(problem);
    return { flop: convolutionFlop(problem), bytes: 4 * (x + w + y * (problem.epilogue?.residual === true ? 2 : 1)) };
  },
  cases: [
    sized(1, [1, 1], [1, 1]),
    sized(3, [7, 5], [13, 17]),
    sized(2, [9, 11], [64, 70], 1, 2),
    sized(2, [7, 9], [16, 16], 3, 1, 1),
    sized(2, [8, 7], [19, 33], 3, 2, 1),
    sized(1, [17, 19], [4, 24], 7, 2, 3),
    sized(1, [6, 13], [3, 5], [2, 5], [3, 2], [0, 2]),
    sized(1, [5, 4], [2, 3], [2, 1], 3, [1, 0]),
    sized(2, [14, 14], [128, 96], 3, 1, 1),
    sized(1, [3, 4], [37, 133], 3, 1, 1),
    sized(2, [6, 5], [64, 64], 3, 2, 1),
    sized(67, [1, 1], [301, 130]),
    // One tap, all of whose numbers are there: blocks of each depth that divides the channels, columns that end within
    // a vector's invocations, strides; of few pixels, whose data gradient is a transposed product.
    sized(2, [3, 5], [64, 132]),
    sized(2, [5, 4], [192, 20], 1, [2, 1]),
    sized(1, [4, 5], [200, 36]),
    sized(6, [3, 5], [148, 128], 1, 2),
    sized(4, [1, 17], [276, 72]),
    // One tap whose channels end within a block of 96, plain, with strides and with an epilogue.
    sized(1, [5, 7], [332, 332]),
    sized(2, [5, 4], [332, 332], 1, 2),
    sized(1, [3, 5], [332, 64], 1, 1, 0, { epilogue: { residual: true, relu: true } }),
    // Whole steps, in which no end is looked for.
    sized(1, [5, 6], [32, 20], 3, 1, 1, { epilogue: { residual: false, relu: true } }),
    // Across the edges of each tile of workgroup memory, with reductions long enough to be split.
    sized(3, [7, 7], [268, 140]),
    sized(1, [9, 15], [36, 68], 3, 2, 1),
    sized(1, [9, 6], [8, 12], 1, 2),
    sized(3, [5, 6], [20, 36], 3, 1, 1, { epilogue: { residual: true, relu: true } }),
    // The epilogues of inference, whole and where a reduction is split.
    sized(3, [5, 6], [20, 36], 3, 1, 1, { epilogue: { residual: false, relu: true } }),
    sized(1, [9, 10], [64, 44], 3, 1, 1, { epilogue: { residual: false, relu: true } }),
    sized(1, [5, 6], [520, 40], 1, 2, 0, { epilogue: { residual: false, relu: false } }),
    sized(2, [5, 6], [48, 40], 3, 1, 1, { epilogue: { residual: true, relu: true } }),
    // Split in parts, then each epilogue.
    sized(1, [5, 6], [512, 36], 1, 1, 0, { epilogue: { residual: false, relu: true } }),
    sized(1, [5, 6], [512, 36], 1, 2, 0, { epilogue: { residual: false, relu: false } }),
    sized(3, [9, 5], [21, 67], 3, 1, [0, 2]),
    sized(5, [2, 1], [65, 3], 3, 1, 1),
    sized(1, [6, 11], [130, 9], 3, 1, [2, 0], { epilogue: { residual: false, relu: true } }),
    sized(2, [5, 6], [70, 24], 1, 2, 0, { epilogue: { residual: false, relu: false } }),
    // Matrix products whose depth is one K-tile or several of a weight-stationary block; columns that end within a block.
    sized(3, [5, 7], [128, 192]),
    sized(1, [3, 5], [64, 96], 1, 1, 0, { epilogue: { residual: true, relu: true } }),
    // Small images, of which a K-tile of taps meets few pixels: K-tiles of one tap, of parts of several, with a stride.
    sized(5, [2, 2], [64, 72], 3, 1, 1),
    sized(3, [2, 3], [40, 36], [3, 5], 1, [1, 2], { epilogue: { residual: false, relu: true } }),
    sized(2, [4, 3], [64, 64], 3, 2, 1),
    ...FEW_PIXELS,
    sized(1, [5, 7], [32, 32]),
    // More of Winograd's tiles than one workgroup takes.
    sized(3, [29, 31], [3, 5], 3, 1, 1),
  ],
  miniature,
};
