import { whenStored } from '../contract/storage-type.ts';
import { convolution } from './forward.ts';
import { convolutionCost, forEachTap, HALF, miniature, operandSizes, sized, type ConvolutionShape } from './problem.ts';
import { sumError, type Kernel } from '../kernel.ts';
import { gatherCalls } from './variants.ts';

/** dx of y = x * w: operands dy, w to dx. The gather of convolution.ts with source and destination exchanged. */
export const convolutionDataGradient: Kernel<ConvolutionShape> = {
  name: 'convolution_data_gradient',
  calls: (shape, traits) => gatherCalls(shape, 'dataGradient', traits),
  reference: (shape, { dy, w }) => {
    const { x: length } = operandSizes(shape);
    const value = new Float64Array(length);
    const magnitude = new Float64Array(length);
    const { inputChannels, outputChannels } = shape;
    forEachTap(shape, (pixel, tap, output) => {
      for (let i = pixel, weight = tap; i < pixel + inputChannels; i++)
        for (let o = 0; o < outputChannels; o++, weight++) {
          const product = dy[output + o] * w[weight];
          value[i] += product;
          magnitude[i] += Math.abs(product);
        }
    });
    const terms = shape.kernel[0] * shape.kernel[1] * shape.outputChannels;
    return { dx: whenStored({ value, error: magnitude.map((sum) => sumError(terms, sum)) }, shape) };
  },
  cost: (shape) => convolutionCost(shape),
  cases: [
    ...convolution.cases.filter(({ epilogue, type }) => epilogue === undefined && type === undefined),
    // Blocks of the stem's depth, which 40 channels under 25 taps fill.
    sized(1, [5, 7], [36, 40], 5, 1, 2),
    // In 16-bit floats: whole, then split-K, of phases that meet one tap and others that meet none, and of a matrix
    // product.
    sized(1, [9, 15], [68, 36], 3, 2, 1, HALF),
    sized(1, [5, 6], [36, 520], 1, 2, 0, HALF),
    sized(1, [5, 7], [36, 520], 1, 1, 0, HALF),
    // Padded to multiples of four.
    sized(2, [3, 5], [5, 7], 3, 1, 1, HALF),
    // Split-K of whole K-tiles.
    sized(1, [5, 7], [36, 512], 1, 1, 0, HALF),
    // Upcast, of many pixels: phases of taps, channels that end within a block of 96.
    sized(8, [9, 15], [64, 64], 3, 2, 1, HALF),
    sized(24, [5, 6], [36, 520], 1, 2, 0, HALF),
    sized(8, [5, 7], [36, 520], 1, 1, 0, HALF),
    // Upcast, in blocks that divide the channels and look at no bounds.
    sized(1, [5, 7], [36, 192], 1, 2, 0, HALF),
    sized(1, [5, 7], [64, 256], 1, 2, 0, HALF),
  ],
  miniature,
};
