import type { Dispatch } from '../contract/dispatch.ts';
import type { ElementType, FloatType } from '../contract/element-types.ts';
import { ceilDivide } from '../contract/grid.ts';
import { sliceable } from '../contract/slices.ts';
import type { Operand } from '../kernel.ts';
import { productShape, reversed, sizesOf, type ConvolutionSizes } from './parameters.ts';
import { operandSizes, outputSize, type ConvolutionProblem, type ConvolutionShape, type Epilogue } from './problem.ts';

/** Which way the gather kernels run: x to y, or the gradient of y to the gradient of x. */
export type Direction = 'forward' | 'dataGradient';

/** A gather convolution as its shaders see it. */
export interface Gather {
  readonly shape: ConvolutionShape;
  readonly forward: boolean;
  readonly epilogue: Epilogue | undefined;
  /** Words of the uniform block, for all images. */
  readonly sizes: ConvolutionSizes;
  readonly sourceChannels: number;
  readonly destinationChannels: number;
  /** Vertical and horizontal phases, and the destination pixels of the largest one. */
  readonly phases: readonly [number, number];
  readonly pixels: number;
  readonly flags: Readonly<Record<string, boolean>>;
  /** The dispatch that can be cut between images, given the sizes of a slice of them and the pixels of its largest phase. */
  byImages(launch: (sizes: ConvolutionSizes, pixels: number) => Dispatch): Dispatch;
  readonly operands: Readonly<Record<string, Operand>>;
  /** Type of source, weights and residual. */
  readonly element: FloatType;
  /** Type of the destination. */
  readonly target: FloatType;
  /** Names of source, weights, destination, scale, shift and residual. */
  readonly order: readonly string[];
}

/** A 1x1 convolution that touches every pixel is a plain matrix product. */
export const isPointwise = ({ kernel, stride, padding }: ConvolutionShape): boolean =>
  [...kernel, ...stride].every((size) => size === 1) && padding.every((size) => size === 0);

/** A 1x1 kernel without padding, whatever its stride. */
export const hasOneTap = ({ shape: { kernel, padding } }: Gather): boolean =>
  kernel.every((size) => size === 1) && padding.every((size) => size === 0);

/** Taps of a kernel that meet each phase along one axis; see convolution-axis.wgsl. */
export function tapsOfPhases({ kernel, stride, padding }: ConvolutionShape, axis: 0 | 1, phases: number): number[] {
  if (phases === 1) return [kernel[axis]];
  return Array.from({ length: phases }, (_, phase) => {
    const rest = (phase + padding[axis]) % stride[axis];
    return rest < kernel[axis] ? Math.floor((kernel[axis] - 1 - rest) / stride[axis]) + 1 : 0;
  });
}

/** Operands x, w, y or dy, w, dx, and scale, shift, residual of the epilogue. */
export function gatherOf({ epilogue, ...shape }: ConvolutionProblem, direction: Direction): Gather {
  const element = shape.type ?? 'f32';
  const lengths = operandSizes(shape);
  const [outputHeight, outputWidth] = outputSize(shape);
  const forward = direction === 'forward';
  const x = { height: shape.height, width: shape.width, channels: shape.inputChannels };
  const y = { height: outputHeight, width: outputWidth, channels: shape.outputChannels };
  const [source, destination] = forward ? [x, y] : [y, x];
  const names = forward ? { source: 'x', destination: 'y' } : { source: 'dy', destination: 'dx' };
  const phases = forward ? ([1, 1] as const) : shape.stride;
  const pixelsOf = (images: number): number =>
    images * ceilDivide(destination.height, phases[0]) * ceilDivide(destination.width, phases[1]);
  const sizes = (images: number): ConvolutionSizes =>
    forward ? sizesOf(shape, images) : reversed(sizesOf(shape, images));
  // WebGPU wants every binding of a shader bound; what the epilogue does not use is a vector or two of scratch.
  const epilogueOperand = (used: boolean, length: number, type: ElementType = 'f32'): Operand => ({
    role: used ? 'input' : 'scratch',
    type,
    length: used ? length : 8,
  });
  const [sourceLength, destinationLength] = forward ? [lengths.x, lengths.y] : [lengths.y, lengths.x];
  const perImage = {
    [names.source]: sourceLength / shape.batch,
    [names.destination]: destinationLength / shape.batch,
    ...(epilogue?.residual === true && { residual: destinationLength / shape.batch }),
  };
  return {
    shape,
    forward,
    epilogue,
    sizes: sizes(shape.batch),
    sourceChannels: source.channels,
    destinationChannels: destination.channels,
    phases,
    pixels: pixelsOf(shape.batch),
    flags: {
      DATA_GRADIENT: !forward,
      AFFINE: epilogue !== undefined,
      RESIDUAL: epilogue?.residual === true,
      RELU: epilogue?.relu === true,
    },
    byImages: (launch) => sliceable(shape.batch, perImage, (images) => launch(sizes(images), pixelsOf(images))),
    operands: {
      [names.source]: { role: 'input', type: element, length: sourceLength },
      w: { role: 'input', type: element, length: lengths.w },
      [names.destination]: { role: 'output', type: element, length: destinationLength },
      scale: epilogueOperand(epilogue !== undefined, destination.channels),
      shift: epilogueOperand(epilogue !== undefined, destination.channels),
      residual: epilogueOperand(epilogue?.residual === true, destinationLength, element),
    },
    element,
    target: element,
    order: [names.source, 'w', names.destination, 'scale', 'shift', 'residual'],
  };
}

/** A plain product of matrices, [rows, depth] x [depth, columns], that the gather kernels compute in one launch. */
export function productGather(
  [rows, depth, columns]: readonly [number, number, number],
  rest: Pick<Gather, 'flags' | 'operands' | 'element' | 'target' | 'order'>,
): Gather {
  const shape = productShape(rows, depth, columns);
  const sizes = sizesOf(shape);
  return {
    ...rest,
    shape,
    forward: rest.flags.DATA_GRADIENT !== true,
    epilogue: undefined,
    sizes,
    sourceChannels: depth,
    destinationChannels: columns,
    phases: [1, 1],
    pixels: rows,
    byImages: (launch) => launch(sizes, rows),
  };
}
