import { convolution, FEW_PIXELS } from './forward.ts';
import { miniature, operandSizes, type ConvolutionProblem, type ConvolutionShape } from './problem.ts';
import { gatherCalls } from './variants.ts';
import { withUnits } from './gpu/matrix-units.ts';
import { convolutionDataGradient, dataGradientCalls } from './data-gradient.ts';
import {
  callsWithStatistics,
  convolutionStatistics,
  expectedWithStatistics,
  WHOLE_STEPS,
  type ConvolutionStatisticsProblem,
} from './statistics.ts';
import { convolutionWeightGradient, vectorTiles } from './weight-gradient.ts';
import type { Cost, Kernel } from '../kernel.ts';
import { whenStored } from '../contract/storage-type.ts';
import { matrixWeightGradient } from './im2col-weight-gradient.ts';
import { upcast } from './upcast.ts';

/**
 * The convolutions with activations, their gradients and weights stored as 16-bit floats: the same shaders by tiles, in
 * which sums, scale, shift and statistics are f32; and for processors in software their own variant, upcast. What is
 * stored is rounded once; the weight gradient is f32. Where the adapter has no 16-bit floats, or channels are not
 * multiples of four, there is no variant.
 */

const HALF = { type: 'f16' } as const;

/** Reductions long enough for every tile to split them. */
const POINTWISE_SPLIT_K: ConvolutionShape = {
  batch: 1,
  height: 5,
  width: 7,
  inputChannels: 520,
  outputChannels: 68,
  kernel: [1, 1],
  stride: [1, 1],
  padding: [0, 0],
};
const STRIDED_SPLIT_K: ConvolutionShape = {
  batch: 1,
  height: 9,
  width: 15,
  inputChannels: 68,
  outputChannels: 36,
  kernel: [3, 3],
  stride: [2, 2],
  padding: [1, 1],
};

/** Whether a convolution has a 16-bit form. */
export const hasHalfForm = ({ inputChannels, outputChannels }: ConvolutionShape): boolean =>
  inputChannels % 4 === 0 && outputChannels % 4 === 0;

/** y = relu?((x * w) scale + shift + residual), all f16 but scale and shift. */
export const convolutionF16: Kernel<ConvolutionProblem> = {
  name: 'convolution_f16',
  calls: (problem, traits) =>
    traits.f16 === true
      ? gatherCalls(problem, 'forward', problem.epilogue, traits, { source: 'x', destination: 'y' }, 'f16')
      : [],
  reference: (problem, inputs) => ({ y: whenStored(convolution.reference(problem, inputs).y, HALF) }),
  cost: (problem) => {
    const { flop, bytes } = convolution.cost(problem);
    return { flop, bytes: bytes / 2 };
  },
  // Each path of the shader, once: parts by every tile, plain and strided; the stem's; an epilogue; those after parts.
  cases: [
    POINTWISE_SPLIT_K,
    STRIDED_SPLIT_K,
    {
      batch: 1,
      height: 17,
      width: 19,
      inputChannels: 4,
      outputChannels: 24,
      kernel: [7, 7],
      stride: [2, 2],
      padding: [3, 3],
    },
    {
      batch: 3,
      height: 5,
      width: 6,
      inputChannels: 20,
      outputChannels: 36,
      kernel: [3, 3],
      stride: [1, 1],
      padding: [1, 1],
      epilogue: { residual: false, relu: true },
    },
    { ...STRIDED_SPLIT_K, epilogue: { residual: true, relu: true } },
    { ...STRIDED_SPLIT_K, epilogue: { residual: false, relu: false } },
    { ...POINTWISE_SPLIT_K, epilogue: { residual: false, relu: true } },
    // Whole steps, in which no end is looked for.
    {
      batch: 1,
      height: 5,
      width: 6,
      inputChannels: 32,
      outputChannels: 20,
      kernel: [3, 3],
      stride: [1, 1],
      padding: [1, 1],
      epilogue: { residual: false, relu: true },
    },
    { ...POINTWISE_SPLIT_K, inputChannels: 512 },
    {
      batch: 1,
      height: 5,
      width: 7,
      inputChannels: 512,
      outputChannels: 36,
      kernel: [1, 1],
      stride: [2, 2],
      padding: [0, 0],
    },
    // Channels that end within a block of 96.
    { ...POINTWISE_SPLIT_K, batch: 8, outputChannels: 64, epilogue: { residual: false, relu: true } },
    { ...POINTWISE_SPLIT_K, batch: 24, outputChannels: 64, stride: [2, 2], epilogue: { residual: false, relu: false } },
    // Upcast, with resident accumulators.
    ...FEW_PIXELS,
  ],
  miniature,
};

/**
 * y = x * w in f16, and the statistics of its channels in f32: of the sums themselves or of y as it is stored, by
 * variant.
 */
export const convolutionStatisticsF16: Kernel<ConvolutionStatisticsProblem> = {
  name: 'convolution_statistics_f16',
  calls: (problem, traits) => (traits.f16 === true ? callsWithStatistics(problem, traits, 'f16') : []),
  reference: (problem, inputs) =>
    expectedWithStatistics(whenStored(convolution.reference(problem, inputs).y, HALF), problem),
  cost: (problem) => {
    const { flop, bytes } = convolutionStatistics.cost(problem);
    return { flop, bytes: bytes / 2 };
  },
  // Tiles that reduce their own columns; then parts, which cannot.
  cases: [
    {
      batch: 2,
      height: 9,
      width: 15,
      inputChannels: 8,
      outputChannels: 36,
      kernel: [3, 3],
      stride: [2, 2],
      padding: [1, 1],
      epsilon: 1e-3,
    },
    { ...POINTWISE_SPLIT_K, epsilon: 1e-5 },
    { ...STRIDED_SPLIT_K, epsilon: 1e-5 },
    { ...POINTWISE_SPLIT_K, batch: 8, outputChannels: 64, epsilon: 1e-5 },
    { ...POINTWISE_SPLIT_K, batch: 24, outputChannels: 64, stride: [2, 2], epsilon: 1e-5 },
    ...WHOLE_STEPS,
  ],
  miniature,
};

/** dx of y = x * w: operands dy, w to dx, all f16. */
export const convolutionDataGradientF16: Kernel<ConvolutionShape> = {
  name: 'convolution_data_gradient_f16',
  calls: (shape, traits) => (traits.f16 === true ? dataGradientCalls(shape, traits, 'f16') : []),
  reference: (shape, inputs) => ({ dx: whenStored(convolutionDataGradient.reference(shape, inputs).dx, HALF) }),
  cost: (shape) => {
    const { flop, bytes } = convolutionDataGradient.cost(shape);
    return { flop, bytes: bytes / 2 };
  },
  // Whole, then parts: of phases that meet one tap and others that meet none, and of a matrix product.
  cases: [
    {
      batch: 1,
      height: 9,
      width: 15,
      inputChannels: 68,
      outputChannels: 36,
      kernel: [3, 3],
      stride: [2, 2],
      padding: [1, 1],
    },
    {
      batch: 1,
      height: 5,
      width: 6,
      inputChannels: 36,
      outputChannels: 520,
      kernel: [1, 1],
      stride: [2, 2],
      padding: [0, 0],
    },
    {
      batch: 1,
      height: 5,
      width: 7,
      inputChannels: 36,
      outputChannels: 520,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
    // In parts of whole steps.
    {
      batch: 1,
      height: 5,
      width: 7,
      inputChannels: 36,
      outputChannels: 512,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
    // Upcast, of many pixels: phases of taps, channels that end within a block of 96.
    {
      batch: 8,
      height: 9,
      width: 15,
      inputChannels: 64,
      outputChannels: 64,
      kernel: [3, 3],
      stride: [2, 2],
      padding: [1, 1],
    },
    {
      batch: 24,
      height: 5,
      width: 6,
      inputChannels: 36,
      outputChannels: 520,
      kernel: [1, 1],
      stride: [2, 2],
      padding: [0, 0],
    },
    {
      batch: 8,
      height: 5,
      width: 7,
      inputChannels: 36,
      outputChannels: 520,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
    // Upcast, in blocks that divide the channels and look at no bounds.
    {
      batch: 1,
      height: 5,
      width: 7,
      inputChannels: 36,
      outputChannels: 192,
      kernel: [1, 1],
      stride: [2, 2],
      padding: [0, 0],
    },
    {
      batch: 1,
      height: 5,
      width: 7,
      inputChannels: 64,
      outputChannels: 256,
      kernel: [1, 1],
      stride: [2, 2],
      padding: [0, 0],
    },
  ],
  miniature,
};

/** dw of y = x * w: operands x, dy in f16 to dw in f32. */
export const convolutionWeightGradientF16: Kernel<ConvolutionShape> = {
  name: 'convolution_weight_gradient_f16',
  calls: (shape, traits) => {
    if (traits.f16 !== true || !hasHalfForm(shape)) return [];
    const tiles = withUnits(
      vectorTiles(shape, traits, 'f16'),
      matrixWeightGradient(shape, traits, 'f16'),
      convolutionWeightGradientF16.cost(shape),
      traits,
    );
    if (traits.kind === 'gpu' || tiles.length === 0) return tiles;
    const [direct] = convolutionWeightGradient.calls(shape, traits);
    return [upcast(direct, tiles[0].operands, traits), ...tiles];
  },
  reference: (shape, inputs) => convolutionWeightGradient.reference(shape, inputs),
  cost: (shape): Cost => {
    const { x, w, y } = operandSizes(shape);
    return { flop: convolutionWeightGradient.cost(shape).flop, bytes: 2 * (x + y) + 4 * w };
  },
  // In parts, and a plain matrix product that is whole, of few pixels and of more.
  cases: [
    {
      batch: 2,
      height: 17,
      width: 19,
      inputChannels: 36,
      outputChannels: 20,
      kernel: [3, 3],
      stride: [2, 2],
      padding: [1, 1],
    },
    {
      batch: 1,
      height: 5,
      width: 7,
      inputChannels: 36,
      outputChannels: 68,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
    {
      batch: 1,
      height: 17,
      width: 19,
      inputChannels: 36,
      outputChannels: 68,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
    // The stem, of a number of pixels that whole steps divide.
    {
      batch: 4,
      height: 16,
      width: 16,
      inputChannels: 4,
      outputChannels: 64,
      kernel: [7, 7],
      stride: [2, 2],
      padding: [3, 3],
    },
    // By matrix units in parts: more than 512 pixels, a multiple of four.
    {
      batch: 4,
      height: 12,
      width: 12,
      inputChannels: 20,
      outputChannels: 36,
      kernel: [3, 3],
      stride: [1, 1],
      padding: [1, 1],
    },
    // Upcast, in tiles that look at no bounds: an odd number of pixels and even ones, in splits too.
    {
      batch: 1,
      height: 9,
      width: 15,
      inputChannels: 64,
      outputChannels: 128,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
    {
      batch: 2,
      height: 13,
      width: 19,
      inputChannels: 32,
      outputChannels: 128,
      kernel: [3, 3],
      stride: [1, 1],
      padding: [1, 1],
    },
    {
      batch: 2,
      height: 13,
      width: 19,
      inputChannels: 128,
      outputChannels: 256,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
    // Upcast, by im2col: blocks of 64 and 96 pixels, with a stride, with padding and without.
    {
      batch: 5,
      height: 13,
      width: 15,
      inputChannels: 64,
      outputChannels: 256,
      kernel: [3, 3],
      stride: [2, 2],
      padding: [1, 1],
    },
    {
      batch: 4,
      height: 8,
      width: 8,
      inputChannels: 256,
      outputChannels: 128,
      kernel: [1, 1],
      stride: [2, 2],
      padding: [0, 0],
    },
    {
      batch: 1,
      height: 8,
      width: 8,
      inputChannels: 256,
      outputChannels: 256,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
    {
      batch: 2,
      height: 9,
      width: 10,
      inputChannels: 256,
      outputChannels: 512,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
    {
      batch: 5,
      height: 11,
      width: 11,
      inputChannels: 256,
      outputChannels: 512,
      kernel: [1, 1],
      stride: [2, 2],
      padding: [0, 0],
    },
    {
      batch: 4,
      height: 7,
      width: 7,
      inputChannels: 256,
      outputChannels: 512,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
    {
      batch: 4,
      height: 13,
      width: 13,
      inputChannels: 256,
      outputChannels: 512,
      kernel: [1, 1],
      stride: [2, 2],
      padding: [0, 0],
    },
    // By im2col, with resident accumulators of few rows.
    {
      batch: 1,
      height: 16,
      width: 16,
      inputChannels: 128,
      outputChannels: 512,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
  ],
  miniature,
};
