import type { AdapterTraits } from '../../contract/adapter-traits.ts';
import { elementBytes } from '../../contract/element-types.ts';
import { ceilDivide } from '../../contract/grid.ts';
import {
  ASSUMED_COMPUTE_UNITS,
  chooseSplitK,
  fits,
  invocations,
  tileConstants,
  tileName,
  type Tile,
} from '../../contract/tiles.ts';
import * as shaders from '../../../shaders/generated/shaders.ts';
import type { KernelCall } from '../../kernel.ts';
import { tilesFor } from '../../select.ts';
import { isPointwise } from '../gather.ts';
import { sizesOf, withParameters } from '../parameters.ts';
import { operandSizes, type ConvolutionShape } from '../problem.ts';
import { splitPixels, withPartials } from '../weight-gradient-splits.ts';
import { sumsOfRowVectors } from './register-sums.ts';

/**
 * Tiles for GPUs: results are few and pixels many, so that small tiles fill a GPU with fewer parts, and large ones read
 * less.
 */
const TILES: readonly Tile[] = [
  { rows: 128, columns: 128, depth: 16, rowsEach: 16, columnsEach: 8 },
  { rows: 128, columns: 64, depth: 16, rowsEach: 8, columnsEach: 8 },
  { rows: 64, columns: 64, depth: 32, rowsEach: 8, columnsEach: 4 },
  { rows: 64, columns: 32, depth: 32, rowsEach: 4, columnsEach: 4 },
];
/** One row of the stem's taps, 7 pixels of 4 channels, and nothing wasted. */
const STEM_TILE: Tile = { rows: 28, columns: 64, depth: 32, rowsEach: 4, columnsEach: 8 };
/**
 * Workgroups that keep a GPU busy: several a compute unit, since their parts differ in length; and many, where their
 * parts are small beside x and dy.
 */
const WANTED_WORKGROUPS = 4 * ASSUMED_COMPUTE_UNITS;
const MANY_WORKGROUPS = 16 * ASSUMED_COMPUTE_UNITS;
const SMALL_SHARE = 1 / 5;

/** The variants by tiles. */
export function weightGradientTiles(shape: ConvolutionShape, traits: AdapterTraits): KernelCall[] {
  const element = shape.type ?? 'f32';
  const pointwise = isPointwise(shape);
  const sizes = operandSizes(shape);
  const pixels = sizes.y / shape.outputChannels;
  const stem = shape.kernel[1] * shape.inputChannels === STEM_TILE.rows ? [STEM_TILE] : [];
  return [...stem, ...tilesFor(TILES, traits)]
    .map((tile): KernelCall => {
      const columnTiles = ceilDivide(shape.outputChannels, tile.columns);
      const rowTiles = shape.kernel[0] * ceilDivide(shape.kernel[1] * shape.inputChannels, tile.rows);
      const tiles = columnTiles * rowTiles;
      const kTiles = ceilDivide(pixels, tile.depth);
      const fewestKTiles = 64 / tile.depth;
      const cheapSplits = (SMALL_SHARE * elementBytes(element) * (sizes.x + sizes.y)) / (2 * 4 * sizes.w);
      const wantedWorkgroups = Math.min(MANY_WORKGROUPS, Math.max(WANTED_WORKGROUPS, (tiles * cheapSplits) / 2));
      const wanted = ceilDivide(kTiles, chooseSplitK(tiles, kTiles, wantedWorkgroups, fewestKTiles)) * tile.depth;
      const pixelsPerSplit = splitPixels(shape, wanted);
      const splitK = ceilDivide(pixels, pixelsPerSplit);
      const vectors = (tile.depth * tile.rows) / 4 / invocations(tile);
      const gradients = (tile.depth * tile.columns) / 4 / invocations(tile);
      return {
        ...withPartials(shape, `tiled ${tileName(tile)}`, pixelsPerSplit, (share) =>
          withParameters(
            { ...sizesOf(shape, share.images), pixelsPerSplit, depth: tile.depth },
            {
              shader: shaders.convolutionWeightGradientTiled,
              libraries: [sumsOfRowVectors(tile.rowsEach, tile.columnsEach / 4, ['storeRow'])],
              features: element === 'f16' ? ['f16'] : [],
              constants: {
                EVEN: pixelsPerSplit % tile.depth === 0 && pixels % tile.depth === 0,
                INSIDE: shape.padding.every((size) => size === 0),
                Scalar: element,
                POINTWISE: pointwise,
                ...tileConstants(tile),
                UNROLLED: traits.kind === 'gpu',
              },
              operands: ['x', 'dy', share.partialSums],
              workgroups: [columnTiles, rowTiles, share.splitK],
            },
          ),
        ),
        product: {
          tile,
          tiles,
          splitK,
          kTiles: kTiles / splitK,
          stagingOperations: vectors * (pointwise ? 6 : 26) + gradients * 6,
          workgroupBytes: 4 * tile.depth * (tile.rows + tile.columns),
          results: sizes.w,
          elementBytes: elementBytes(element),
        },
      };
    })
    .filter(({ product }) => product !== undefined && fits(product, traits));
}
