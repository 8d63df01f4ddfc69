import type { KernelCall } from '../../kernel.ts';
import { afterPatches, im2colGather } from '../im2col.ts';
import type { ConvolutionShape } from '../problem.ts';
import { bestWeightStationaryCall, leastWork } from './weight-stationary.ts';

/**
 * Transposing 16 numbers a lane, four loads and four stores that wait for memory where two cores transpose much, in
 * multiply-adds of all lanes. docs/kernels/convolution/weight-gradient.md has the account.
 */
const IM2COL_COSTS = { 4: 240, 8: 650 } as const;

/**
 * The most that the matrix of patches may take on a processor beside all activations; a 3x3 kernel's has nine times the
 * size of x.
 */
const MOST_BYTES = 32 * 2 ** 20;

/**
 * The weight gradient in two steps: the patches of x become a matrix whose rows are those of the result
 * (`im2col.wgsl`), then dw = patches * dy is the product that the forward pass computes, with a block of dy held
 * still while rows stream past it.
 */
export function im2colWeightGradient(shape: ConvolutionShape, lanes: 4 | 8): KernelCall[] {
  const gather = im2colGather(shape, MOST_BYTES);
  if (gather === undefined) return [];
  const product = bestWeightStationaryCall(gather, lanes);
  return [afterPatches(shape, gather, { ...product, variant: product.variant.replace('weight-stationary', 'im2col') })];
}

/** Its work in multiply-adds of all lanes, where it is possible: im2col, and their product. */
export function im2colWork(shape: ConvolutionShape, lanes: 4 | 8): number {
  const gather = im2colGather(shape, MOST_BYTES);
  if (gather === undefined) return Infinity;
  return leastWork(gather, lanes) + (IM2COL_COSTS[lanes] * gather.operands.patches.length) / (16 * lanes);
}
