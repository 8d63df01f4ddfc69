import { elementBytes } from '../contract/element-types.ts';
import { ceilDivide } from '../contract/grid.ts';
import { ALWAYS_BOUND } from '../contract/slices.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import type { KernelCall } from '../kernel.ts';
import { isPointwise, productGather, type Gather } from './gather.ts';
import { sizesOf, withParameters } from './parameters.ts';
import { operandSizes, type ConvolutionShape } from './problem.ts';

const WORKGROUP_SIZE = 8;
/** Vectors of channels that an invocation transposes: enough to repay the divisions that tell where its pixels are. */
const VECTORS_PER_GROUP = 32;

/**
 * dw = patches * dy as a plain forward product; undefined where the patches do not become a matrix of at most these
 * bytes.
 */
export function im2colGather(shape: ConvolutionShape, mostBytes: number): Gather | undefined {
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
export function afterPatches(
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
