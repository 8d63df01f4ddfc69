import { ALWAYS_BOUND, ceilDivide, elementBytes, type AdapterTraits } from '../contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { operandSizes, type ConvolutionShape } from './problem.ts';
import { bestWeightStationaryCall, leastWork } from './software/weight-stationary.ts';
import { matrixTiles } from './gpu/matrix-units.ts';
import { isPointwise, productGather, type Gather } from './gather.ts';
import type { KernelCall } from '../kernel.ts';
import { sizesOf, withParameters } from './parameters.ts';

/**
 * Transposing 16 numbers a lane, four loads and four stores that wait for memory where two cores transpose much, in
 * multiply-adds of all lanes. docs/kernels/convolution/weight-gradient.md has the account.
 */
const IM2COL_COSTS = { 4: 240, 8: 650 } as const;

const WORKGROUP_SIZE = 8;
/** Vectors of channels that an invocation transposes: enough to repay the divisions that tell where its pixels are. */
const VECTORS_PER_GROUP = 32;

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

/** The same product by matrix units: in every variant that they have for a forward pass. */
export function matrixWeightGradient(shape: ConvolutionShape, traits: AdapterTraits): KernelCall[] {
  const element = shape.type ?? 'f32';
  const gather = im2colGather(shape, ALWAYS_BOUND);
  if (gather === undefined || shape.inputChannels % 4 !== 0) return [];
  const bytes = (operand: string): number => elementBytes(element) * gather.operands[operand].length;
  const laidOut = { from: bytes('x'), to: bytes('patches') };
  return matrixTiles(gather, traits).map((call) =>
    afterPatches(shape, gather, {
      ...call,
      variant: `im2col ${call.variant}`,
      product: call.product && { ...call.product, laidOut },
    }),
  );
}

/**
 * dw = patches * dy as a plain forward product; undefined where the patches do not become a matrix of at most these
 * bytes.
 */
function im2colGather(shape: ConvolutionShape, mostBytes: number): Gather | undefined {
  const element = shape.type ?? 'f32';
  const sizes = operandSizes(shape);
  const { inputChannels, outputChannels, kernel } = shape;
  const pixels = sizes.y / outputChannels;
  const rows = kernel[0] * kernel[1] * inputChannels;
  const size = elementBytes(element);
  // It cannot be sliced, so it is offered only where no adapter has to: what runs must not depend on limits.
  if (
    pixels % 4 !== 0 ||
    size * rows * pixels > mostBytes ||
    Math.max(size * sizes.x, size * sizes.y, 4 * sizes.w) > ALWAYS_BOUND
  )
    return undefined;
  const unused = { role: 'scratch', type: 'f32', length: 8 } as const;
  return productGather([rows, pixels, outputChannels], {
    flags: { DATA_GRADIENT: false, AFFINE: false, RESIDUAL: false, RELU: false },
    operands: {
      x: { role: 'input', type: element, length: sizes.x },
      dy: { role: 'input', type: element, length: sizes.y },
      dw: { role: 'output', type: 'f32', length: sizes.w },
      patches: { role: 'scratch', type: element, length: rows * pixels },
      scale: unused,
      shift: unused,
      residual: unused,
    },
    element,
    target: 'f32',
    order: ['patches', 'dy', 'dw', 'scale', 'shift', 'residual'],
  });
}

/** The product's call behind the dispatch that makes its matrix. */
function afterPatches(
  shape: ConvolutionShape,
  { element, sourceChannels: pixels }: Gather,
  product: KernelCall,
): KernelCall {
  const { inputChannels, kernel, padding } = shape;
  const taps = kernel[0] * kernel[1];
  const inside = taps === 1 && padding.every((size) => size === 0);
  const im2col = withParameters(
    { ...sizesOf(shape), vectorsPerGroup: VECTORS_PER_GROUP },
    {
      shader: shaders.im2col,
      features: element === 'f16' ? ['f16'] : [],
      constants: { Scalar: element, WORKGROUP_SIZE, INSIDE: inside, POINTWISE: isPointwise(shape) },
      operands: ['x', 'patches'],
      workgroups: [ceilDivide(pixels / 4, WORKGROUP_SIZE), ceilDivide(inputChannels / 4, VECTORS_PER_GROUP), taps],
    },
  );
  return { ...product, dispatches: [im2col, ...product.dispatches] };
}

/** Its work in multiply-adds of all lanes, where it is possible: im2col, and their product. */
export function im2colWork(shape: ConvolutionShape, lanes: 4 | 8): number {
  const gather = im2colGather(shape, MOST_BYTES);
  if (gather === undefined) return Infinity;
  return leastWork(gather, lanes) + (IM2COL_COSTS[lanes] * gather.operands.patches.length) / (16 * lanes);
}
