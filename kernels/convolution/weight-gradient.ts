import type { AdapterTraits } from '../contract/adapter-traits.ts';
import { canStore } from '../contract/storage-type.ts';
import { sumError, type Kernel, type KernelCall } from '../kernel.ts';
import { halvesInOrder, ownKindFirst, productsInOrder } from '../select.ts';
import { convolution } from './forward.ts';
import { matrixWeightGradient } from './gpu/im2col-matrix-units.ts';
import { weightGradientTiles } from './gpu/weight-gradient-tiles.ts';
import {
  convolutionCost,
  forEachTap,
  HALF,
  miniature,
  operandSizes,
  outputSize,
  sized,
  type ConvolutionShape,
} from './problem.ts';
import { withPadding } from './padding.ts';
import { softwareWeightGradients } from './software/weight-gradient.ts';
import { upcast } from './upcast.ts';

/**
 * dw of y = x * w: operands x, dy to dw. The reduction over all pixels is split over workgroups and added in fixed
 * order.
 */
export const convolutionWeightGradient: Kernel<ConvolutionShape> = {
  name: 'convolution_weight_gradient',
  calls: (shape, traits) => (canStore(shape, traits) ? withPadding(shape, (padded) => variantsOf(padded, traits)) : []),
  reference: (shape, { x, dy }) => {
    const { w: length } = operandSizes(shape);
    const value = new Float64Array(length);
    const magnitude = new Float64Array(length);
    const { inputChannels, outputChannels } = shape;
    forEachTap(shape, (pixel, tap, output) => {
      for (let i = 0, weight = tap; i < inputChannels; i++)
        for (let o = 0; o < outputChannels; o++, weight++) {
          const product = x[pixel + i] * dy[output + o];
          value[weight] += product;
          magnitude[weight] += Math.abs(product);
        }
    });
    const [outputHeight, outputWidth] = outputSize(shape);
    const terms = shape.batch * outputHeight * outputWidth;
    return { dw: { value, error: magnitude.map((sum) => sumError(terms, sum)) } };
  },
  cost: (shape) => convolutionCost(shape, 'f32'),
  cases: [
    ...convolution.cases.filter(({ epilogue, type }) => epilogue === undefined && type === undefined),
    // Small images, of which most taps meet few pixels, and some none; odd numbers of pixels; tiles that end inside a
    // tap.
    sized(3, [2, 2], [64, 72], 3, 1, 1),
    sized(1, [1, 2], [20, 12], 5, 1, 2),
    sized(1, [3, 2], [36, 36], [3, 5], [2, 3], [2, 3]),
    sized(5, [13, 11], [4, 64], 3, [2, 1], [0, 1]),
    // Tiles within one tap and columns without a rest, which look at no bounds: odd numbers of pixels, with and without
    // splits.
    sized(1, [13, 11], [32, 64], 3, [2, 1], 1),
    sized(3, [9, 5], [64, 128]),
    // Products with few pixels, and with a stride.
    sized(2, [3, 4], [20, 36]),
    sized(3, [4, 5], [72, 136], 1, [2, 3]),
    // By im2col, with blocks of each depth: 16, 32 and 64 pixels; several K-tiles of 64; of 96 and 100, whole and with a
    // rest. Tiles of a plain product.
    sized(1, [4, 4], [96, 68]),
    sized(2, [7, 7], [36, 72], 3, 2, 1),
    sized(4, [4, 4], [64, 128]),
    sized(8, [7, 8], [68, 64], 1, 2),
    sized(4, [8, 8], [32, 68], 3, 1, 1),
    sized(2, [9, 10], [64, 132]),
    sized(4, [7, 7], [64, 64]),
    sized(4, [13, 13], [12, 64], 3, 2, 1),
    sized(5, [11, 11], [20, 36], 1, 2),
    sized(4, [16, 16], [4, 64], 7, 2, 3),
    sized(1, [16, 16], [4, 16], 3, 1, 1),
    // Even numbers of pixels in narrow tiles, plain and not, in splits.
    sized(2, [9, 7], [64, 32], 3, 1, 1),
    sized(4, [8, 12], [128, 32]),
    // In 16-bit floats: padded to multiples of four; split-K, and a plain matrix product that is whole, of few pixels and of more.
    sized(2, [3, 5], [5, 7], 3, 1, 1, HALF),
    sized(2, [17, 19], [36, 20], 3, 2, 1, HALF),
    sized(1, [5, 7], [36, 68], 1, 1, 0, HALF),
    sized(1, [17, 19], [36, 68], 1, 1, 0, HALF),
    // The stem, of a number of pixels that whole K-tiles divide.
    sized(4, [16, 16], [4, 64], 7, 2, 3, HALF),
    // Split-K by matrix units: more than 512 pixels, a multiple of four.
    sized(4, [12, 12], [20, 36], 3, 1, 1, HALF),
    // Upcast, in tiles that look at no bounds: an odd number of pixels and even ones, in splits too.
    sized(1, [9, 15], [64, 128], 1, 1, 0, HALF),
    sized(2, [13, 19], [32, 128], 3, 1, 1, HALF),
    sized(2, [13, 19], [128, 256], 1, 1, 0, HALF),
    // Upcast, by im2col: blocks of 64 and 96 pixels, with a stride, with padding and without.
    sized(5, [13, 15], [64, 256], 3, 2, 1, HALF),
    sized(4, [8, 8], [256, 128], 1, 2, 0, HALF),
    sized(1, [8, 8], [256, 256], 1, 1, 0, HALF),
    sized(2, [9, 10], [256, 512], 1, 1, 0, HALF),
    sized(5, [11, 11], [256, 512], 1, 2, 0, HALF),
    sized(4, [7, 7], [256, 512], 1, 1, 0, HALF),
    sized(4, [13, 13], [256, 512], 1, 2, 0, HALF),
    // By im2col, with resident accumulators of few rows.
    sized(1, [16, 16], [128, 512], 1, 1, 0, HALF),
  ],
  miniature,
};

function variantsOf(shape: ConvolutionShape, traits: AdapterTraits): readonly KernelCall[] {
  const tiled = productsInOrder(
    weightGradientTiles(shape, traits),
    matrixWeightGradient(shape, traits),
    convolutionCost(shape, 'f32'),
    traits,
  );
  if (shape.type === 'f16') {
    const direct = (): KernelCall => variantsOf({ ...shape, type: 'f32' }, traits)[0];
    return halvesInOrder(tiled, () => upcast(direct(), tiled[0].operands, traits), traits);
  }
  return ownKindFirst(traits, { gpu: tiled, cpu: softwareWeightGradients(shape, traits.subgroupSize) });
}
