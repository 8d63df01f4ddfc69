import type { AdapterTraits } from '../../contract/adapter-traits.ts';
import { ceilDivide, foldGrid } from '../../contract/grid.ts';
import * as shaders from '../../../shaders/generated/shaders.ts';
import { tileConstants, tileName, type Tile as ConvolutionTile } from '../../contract/tiles.ts';
import { productShape, sizesOf, withParameters } from '../parameters.ts';
import { FACTORS, type ProductScheme, type ProductSizes } from '../winograd-problem.ts';
import { LARGE_TILE, MIDDLE_TILE, pointwiseStaging, SMALL_TILE, tileLibraries } from './tiles.ts';

/** As many as a tuner has time for. */
export const PRODUCT_TILES = [LARGE_TILE, MIDDLE_TILE, SMALL_TILE];

const NO_EPILOGUE = { DATA_GRADIENT: false, AFFINE: false, RESIDUAL: false, RELU: false };

/** By the tiles of the direct convolution: a product is a 1x1 convolution of as many pixels as it has rows. */
export function tiledScheme(tile: ConvolutionTile, traits: AdapterTraits): ProductScheme {
  const kTiles = (depth: number): number => ceilDivide(depth, tile.depth);
  const grid = ({ rows, columns }: ProductSizes): number =>
    ceilDivide(rows, tile.rows) * ceilDivide(columns, tile.columns);
  return {
    name: `tiled ${tileName(tile)}`,
    depthMultiple: 4,
    columnMultiple: 4,
    blocked: false,
    dispatch: (sizes) => {
      const whole = sizes.depth % tile.depth === 0;
      const [x, y] = foldGrid(grid(sizes), traits.maxWorkgroupsPerDimension);
      return withParameters(
        {
          ...sizesOf(productShape(sizes.rows, sizes.depth, sizes.columns)),
          kTilesPerSplit: kTiles(sizes.depth),
          depth: tile.depth,
        },
        {
          shader: shaders.convolutionTiled,
          libraries: tileLibraries(tile),
          constants: {
            ...NO_EPILOGUE,
            POINTWISE: true,
            WHOLE: whole,
            INSIDE: true,
            Scalar: 'f32',
            Target: 'f32',
            BATCHED: true,
            ...tileConstants(tile),
            UNROLLED: traits.kind === 'gpu',
          },
          operands: [...FACTORS, 'scale', 'shift', 'residual'],
          workgroups: [x, y, sizes.batch],
        },
      );
    },
    product: (sizes) => ({
      tile,
      tiles: sizes.batch * grid(sizes),
      splitK: 1,
      kTiles: kTiles(sizes.depth),
      ...pointwiseStaging(tile),
      results: sizes.batch * sizes.rows * sizes.columns,
      elementBytes: 4,
    }),
  };
}
