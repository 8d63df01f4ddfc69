import type { Dispatch } from '../contract/dispatch.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import { outputSize, type ConvolutionShape } from './problem.ts';

const SIZES = [
  'batch',
  'sourceHeight',
  'sourceWidth',
  'sourceChannels',
  'destinationHeight',
  'destinationWidth',
  'destinationChannels',
  'kernelHeight',
  'kernelWidth',
  'strideY',
  'strideX',
  'paddingY',
  'paddingX',
] as const;

const OTHERS = [
  'splitK',
  'kTilesPerSplit',
  'pixelsPerSplit',
  'imagesPerSplit',
  'pixelsPerGroup',
  'vectorsPerGroup',
  'depth',
  'rows',
  'columns',
  'isAffine',
  'addsResidual',
  'appliesRelu',
] as const;

/** The fields of the uniform block, in the order of `convolution-parameters.wgsl`, which explains them. */
export const FIELDS = [...SIZES, ...OTHERS] as const;

export type ConvolutionSizes = Readonly<Record<(typeof SIZES)[number], number>>;
export type ConvolutionParameters = ConvolutionSizes & Readonly<Partial<Record<(typeof OTHERS)[number], number>>>;

/** A dispatch of a shader that convolves, with the library that declares its uniform block; fields left out are 0. */
export const withParameters = (fields: ConvolutionParameters, dispatch: Omit<Dispatch, 'parameters'>): Dispatch => ({
  ...dispatch,
  libraries: [shaders.convolutionParameters, ...(dispatch.libraries ?? [])],
  parameters: FIELDS.map((field) => fields[field] ?? 0),
});

/** The epilogue of a convolution, for shaders that take it from the uniform block: one pipeline then serves all epilogues. */
export const epilogueFields = (
  flags: Readonly<Record<string, boolean>>,
): Pick<ConvolutionParameters, 'isAffine' | 'addsResidual' | 'appliesRelu'> => ({
  isAffine: Number(flags.AFFINE),
  addsResidual: Number(flags.RESIDUAL),
  appliesRelu: Number(flags.RELU),
});

/** The sizes of a convolution of so many images: the source is x, the destination y. */
export function sizesOf(shape: ConvolutionShape, images = shape.batch): ConvolutionSizes {
  const [destinationHeight, destinationWidth] = outputSize(shape);
  return {
    batch: images,
    sourceHeight: shape.height,
    sourceWidth: shape.width,
    sourceChannels: shape.inputChannels,
    destinationHeight,
    destinationWidth,
    destinationChannels: shape.outputChannels,
    kernelHeight: shape.kernel[0],
    kernelWidth: shape.kernel[1],
    strideY: shape.stride[0],
    strideX: shape.stride[1],
    paddingY: shape.padding[0],
    paddingX: shape.padding[1],
  };
}

/** The same with source and destination exchanged, as the data gradient has them. */
export const reversed = (sizes: ConvolutionSizes): ConvolutionSizes => ({
  ...sizes,
  sourceHeight: sizes.destinationHeight,
  sourceWidth: sizes.destinationWidth,
  sourceChannels: sizes.destinationChannels,
  destinationHeight: sizes.sourceHeight,
  destinationWidth: sizes.sourceWidth,
  destinationChannels: sizes.sourceChannels,
});

/** A product of matrices [rows, depth] x [depth, columns] as a 1x1 convolution of one row of pixels. */
export const productShape = (rows: number, depth: number, columns: number): ConvolutionShape => ({
  batch: 1,
  height: 1,
  width: rows,
  inputChannels: depth,
  outputChannels: columns,
  kernel: [1, 1],
  stride: [1, 1],
  padding: [0, 0],
});
