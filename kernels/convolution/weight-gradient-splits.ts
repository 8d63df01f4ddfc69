import type { Dispatch } from '../contract/dispatch.ts';
import { elementBytes, type FloatType } from '../contract/element-types.ts';
import { ceilDivide } from '../contract/grid.ts';
import { ALWAYS_BOUND, BINDING_ALIGNMENT, sliceable } from '../contract/slices.ts';
import type { KernelCall } from '../kernel.ts';
import { addPartialSums, partialSumsOf } from './partial-sums.ts';
import { operandSizes, type ConvolutionShape } from './problem.ts';

/**
 * The pixels of a split, about as many as `wanted`. What some adapter could not bind at once is split between images,
 * so that on any adapter slices can end between splits. No split depends on the limits of the adapter at hand: all add
 * in one order.
 */
export function splitPixels(shape: ConvolutionShape, wanted: number): number {
  const element = shape.type ?? 'f32';
  const sizes = operandSizes(shape);
  const imagePixels = sizes.y / shape.outputChannels / shape.batch;
  const largest = elementBytes(element) * Math.max(sizes.x, sizes.y);
  if (largest <= ALWAYS_BOUND) return wanted;
  // A slice's windows onto x, dy and the parts begin at aligned places.
  const alignment = (elements: number, type: FloatType): number => {
    let count = 1;
    while ((elementBytes(type) * count * elements) % BINDING_ALIGNMENT !== 0) count *= 2;
    return count;
  };
  const images = Math.max(alignment(sizes.x / shape.batch, element), alignment(sizes.y / shape.batch, element));
  const most = (ALWAYS_BOUND * shape.batch) / largest / alignment(sizes.w, 'f32');
  return imagePixels * images * Math.max(1, Math.floor(Math.min(most, wanted / imagePixels) / images));
}

/**
 * What a dispatch of the multiplication does: how many splits, over how many images, and the operand that gets their
 * sums.
 */
interface Share {
  readonly splitK: number;
  readonly images: number;
  /** 0 where splits end within images. */
  readonly imagesPerSplit: number;
  readonly partialSums: 'partialSums' | 'dw';
}

/** Splits that give at least `groups` workgroups, but no part of fewer pixels than `leastPixels`. */
export function splitKFor(shape: ConvolutionShape, tiles: number, groups: number, leastPixels: number): number {
  const pixels = operandSizes(shape).y / shape.outputChannels;
  return Math.min(ceilDivide(groups, tiles), Math.max(1, Math.floor(pixels / leastPixels)));
}

/** Splits the pixels in about `wanted` parts, and adds these. */
export function splitCall(
  shape: ConvolutionShape,
  variant: string,
  wanted: number,
  multiply: (share: Share, pixelsPerSplit: number) => Dispatch,
): KernelCall {
  const pixels = operandSizes(shape).y / shape.outputChannels;
  return withPartials(shape, variant, splitPixels(shape, ceilDivide(pixels, wanted)), multiply);
}

/** The call that multiplies and, where the pixels are split, the one that adds the parts. */
export function withPartials(
  shape: ConvolutionShape,
  variant: string,
  pixelsPerSplit: number,
  multiply: (share: Share, pixelsPerSplit: number) => Dispatch,
): KernelCall {
  const sizes = operandSizes(shape);
  const imagePixels = sizes.y / shape.outputChannels / shape.batch;
  const splitK = ceilDivide(imagePixels * shape.batch, pixelsPerSplit);
  const partialSums = splitK > 1 ? 'partialSums' : 'dw';
  const imagesPerSplit = pixelsPerSplit / imagePixels;
  // Splits of whole images can be cut between splits.
  const product = Number.isInteger(imagesPerSplit)
    ? sliceable(
        splitK,
        {
          x: (sizes.x / shape.batch) * imagesPerSplit,
          dy: (sizes.y / shape.batch) * imagesPerSplit,
          partialSums: sizes.w,
        },
        (count, first) =>
          multiply(
            {
              partialSums,
              splitK: count,
              images: Math.min(count * imagesPerSplit, shape.batch - first * imagesPerSplit),
              imagesPerSplit,
            },
            pixelsPerSplit,
          ),
      )
    : multiply({ partialSums, splitK, images: shape.batch, imagesPerSplit: 0 }, pixelsPerSplit);
  return {
    variant: `${variant} split-K ${splitK}`,
    operands: {
      x: { role: 'input', type: shape.type ?? 'f32', length: sizes.x },
      dy: { role: 'input', type: shape.type ?? 'f32', length: sizes.y },
      dw: { role: 'output', type: 'f32', length: sizes.w },
      ...(splitK > 1 && partialSumsOf(splitK, sizes.w)),
    },
    dispatches: splitK > 1 ? [product, addPartialSums('dw', sizes.w, splitK)] : [product],
  };
}
