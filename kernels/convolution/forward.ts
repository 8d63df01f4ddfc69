import { whenStored } from '../contract/storage-type.ts';
import { sumError, EPSILON, type Kernel } from '../kernel.ts';
import {
  convolutionCost,
  forEachTap,
  HALF,
  miniature,
  operandSizes,
  sized,
  type ConvolutionProblem,
} from './problem.ts';
import { gatherCalls } from './variants.ts';

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
  calls: (problem, traits) => gatherCalls(problem, 'forward', traits),
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
    return { y: whenStored({ value, error }, problem) };
  },
  cost: (problem) => convolutionCost(problem),
  cases: [
    sized(1, [1, 1], [1, 1]),
    sized(3, [7, 5], [13, 17]),
    sized(2, [9, 11], [64, 70], 1, 2),
    sized(2, [7, 9], [16, 16], 3, 1, 1),
    sized(2, [8, 7], [19, 33], 3, 2, 1),
    sized(1, [17, 19], [4, 24], 7, 2, 3),
    sized(1, [6, 13], [3, 5], [2, 5], [3, 2], [0, 2]),
    sized(1, [5, 4], [2, 3], [2, 1], 3, [1, 0]),
    sized(1, [10, 14], [128, 96], 3, 1, 1),
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
    // Whole K-tiles, in which no end is looked for.
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
    // In 16-bit floats, each path of the shader once: split-K by every tile, plain and strided; the stem's; an epilogue;
    // those after split-K.
    sized(1, [5, 7], [520, 68], 1, 1, 0, HALF),
    sized(1, [9, 15], [68, 36], 3, 2, 1, HALF),
    sized(1, [17, 19], [4, 24], 7, 2, 3, HALF),
    sized(3, [5, 6], [20, 36], 3, 1, 1, { ...HALF, epilogue: { residual: false, relu: true } }),
    sized(1, [9, 15], [68, 36], 3, 2, 1, { ...HALF, epilogue: { residual: true, relu: true } }),
    sized(1, [9, 15], [68, 36], 3, 2, 1, { ...HALF, epilogue: { residual: false, relu: false } }),
    sized(1, [5, 7], [520, 68], 1, 1, 0, { ...HALF, epilogue: { residual: false, relu: true } }),
    // Whole K-tiles, in which no end is looked for.
    sized(1, [5, 6], [32, 20], 3, 1, 1, { ...HALF, epilogue: { residual: false, relu: true } }),
    sized(1, [5, 7], [512, 68], 1, 1, 0, HALF),
    sized(1, [5, 7], [512, 36], 1, 2, 0, HALF),
    // Channels that end within a block of 96.
    sized(8, [5, 7], [520, 64], 1, 1, 0, { ...HALF, epilogue: { residual: false, relu: true } }),
    sized(24, [5, 7], [520, 64], 1, 2, 0, { ...HALF, epilogue: { residual: false, relu: false } }),
    // Padded to multiples of four.
    sized(2, [3, 5], [5, 7], 3, 1, 1, HALF),
    // Upcast, with resident accumulators.
    ...FEW_PIXELS.map((problem) => ({ ...problem, ...HALF })),
  ],
  miniature,
};
