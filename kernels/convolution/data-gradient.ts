import type { AdapterTraits, FloatType } from '../contract/dispatch.ts';
import { convolution } from './forward.ts';
import { convolutionFlop, forEachTap, miniature, operandSizes, sized, type ConvolutionShape } from './problem.ts';
import { transposedProducts } from './software/transposed-data-gradient.ts';
import { sumError, type Kernel, type KernelCall } from '../kernel.ts';
import { gatherCalls } from './variants.ts';

/** @param element type of dy, w and dx */
export const dataGradientCalls = (shape: ConvolutionShape, traits: AdapterTraits, element: FloatType): KernelCall[] =>
  gatherCalls(
    shape,
    'dataGradient',
    undefined,
    traits,
    { source: 'dy', destination: 'dx' },
    element,
    transposedProducts,
  );

/** dx of y = x * w: operands dy, w to dx. The gather of convolution.ts with source and destination exchanged. */
export const convolutionDataGradient: Kernel<ConvolutionShape> = {
  name: 'convolution_data_gradient',
  calls: (shape, traits) => dataGradientCalls(shape, traits, 'f32'),
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
    return { dx: { value, error: magnitude.map((sum) => sumError(terms, sum)) } };
  },
  cost: (shape) => {
    const { x, w, y } = operandSizes(shape);
    return { flop: convolutionFlop(shape), bytes: 4 * (x + w + y) };
  },
  cases: [
    ...convolution.cases.filter((problem) => problem.epilogue === undefined),
    // Blocks of the stem's depth, which 40 channels under 25 taps fill.
    sized(1, [5, 7], [36, 40], 5, 1, 2),
  ],
  miniature,
};
