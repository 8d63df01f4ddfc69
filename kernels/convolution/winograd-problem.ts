import type { Dispatch } from '../contract/dispatch.ts';
import { ceilDivide } from '../contract/grid.ts';
import type { TiledProduct } from '../contract/tiles.ts';
import type { Gather } from './gather.ts';

/**
 * A 3x3 convolution with stride 1 that gathers a source into a destination: x into y, or the gradient of y into that of
 * x.
 */
export interface WinogradProblem {
  readonly batch: number;
  readonly source: Image;
  readonly destination: Image;
  /** Zero pixels around the source. */
  readonly padding: readonly [number, number];
  /** The weights are flipped in both axes and their channels exchanged. */
  readonly dataGradient: boolean;
  readonly affine: boolean;
  readonly residual: boolean;
  readonly relu: boolean;
  /** What the operands source and destination are called. */
  readonly names: { readonly source: string; readonly destination: string };
}

export interface Image {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Destination pixels of a tile's side: F(2x2, 3x3) or F(4x4, 3x3). */
export type Tile = 2 | 4;

export type Matrix = readonly (readonly number[])[];

export const problemOf = ({ shape, forward, sizes, flags, order }: Gather): WinogradProblem => {
  const image = (side: 'source' | 'destination'): Image => ({
    height: sizes[`${side}Height`],
    width: sizes[`${side}Width`],
    channels: sizes[`${side}Channels`],
  });
  return {
    batch: shape.batch,
    source: image('source'),
    destination: image('destination'),
    // The gradient of a convolution is one with flipped weights, whose padding makes the sizes fit.
    padding: forward ? shape.padding : [2 - shape.padding[0], 2 - shape.padding[1]],
    dataGradient: !forward,
    affine: flags.AFFINE,
    residual: flags.RESIDUAL,
    relu: flags.RELU,
    names: { source: order[0], destination: order[2] },
  };
};

export const tilesOf = ({ height, width }: Image, tile: Tile): number =>
  ceilDivide(height, tile) * ceilDivide(width, tile);
export const roundUp = (value: number, multiple: number): number => ceilDivide(value, multiple) * multiple;

/** One way to multiply the transformed matrices, and what it asks of their sizes and of the layout of the weights. */
export interface ProductScheme {
  readonly name: string;
  readonly depthMultiple: number;
  readonly columnMultiple: number;
  /** Weights lie in blocks of columnMultiple columns, or as one matrix. */
  readonly blocked: boolean;
  dispatch(sizes: ProductSizes): Dispatch;
  /** What the cost model counts, by tiles of workgroup memory. */
  product?(sizes: ProductSizes): TiledProduct;
}

/** The operands of the product: source, weights, result. */
export const FACTORS = ['transformedSource', 'transformedWeights', 'product'] as const;

export interface ProductSizes {
  readonly batch: number;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
}
