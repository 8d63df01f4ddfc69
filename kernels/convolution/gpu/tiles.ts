import type { AdapterTraits } from '../../contract/adapter-traits.ts';
import type { Dispatch, Shader } from '../../contract/dispatch.ts';
import { elementBytes } from '../../contract/element-types.ts';
import { ceilDivide, foldGrid } from '../../contract/grid.ts';
import * as shaders from '../../../shaders/generated/shaders.ts';
import { isPointwise, tapsOfPhases, type Gather } from '../gather.ts';
import type { KernelCall } from '../../kernel.ts';
import { tilesFor } from '../../select.ts';
import { withParameters, type ConvolutionSizes } from '../parameters.ts';
import { addPartialSums, partialSumsOf } from '../partial-sums.ts';
import { sumsOfRows } from './register-sums.ts';
import {
  ASSUMED_COMPUTE_UNITS,
  chooseSplitK,
  fits,
  invocations,
  tileConstants,
  tileName,
  type Tile,
  type TiledProduct,
} from '../../contract/tiles.ts';

export const LARGE_TILE: Tile = { rows: 128, columns: 128, depth: 16, rowsEach: 16, columnsEach: 8 };
export const MIDDLE_TILE: Tile = { rows: 128, columns: 64, depth: 16, rowsEach: 8, columnsEach: 8 };
export const SMALL_TILE: Tile = { rows: 64, columns: 64, depth: 16, rowsEach: 8, columnsEach: 4 };

/** Tiles for a gather convolution: what is large enough to reuse much, down to what still fills a GPU at batch 1. */
const TILES: readonly Tile[] = [
  LARGE_TILE,
  { ...LARGE_TILE, rowsEach: 8 },
  MIDDLE_TILE,
  SMALL_TILE,
  { rows: 64, columns: 32, depth: 16, rowsEach: 4, columnsEach: 4 },
  { rows: 32, columns: 32, depth: 32, rowsEach: 4, columnsEach: 4 },
];

/** A K-tile is one row of the stem's taps: 7 pixels of 4 channels, a vector a tap, and nothing wasted. */
const STEM_TILE: Tile = { rows: 128, columns: 64, depth: 28, rowsEach: 8, columnsEach: 8 };

/** Workgroups that keep a GPU busy; where a grid has fewer, its reduction is split. */
const WANTED_WORKGROUPS = 2 * ASSUMED_COMPUTE_UNITS;
/** Fewer K-tiles a split are not worth the second pass. */
const FEWEST_K_TILES = 8;

/** The variants by tiles. */
export function vectorTiles(gather: Gather, traits: AdapterTraits): KernelCall[] {
  const { sourceChannels, shape, forward } = gather;
  const stem = forward && sourceChannels === 4 && shape.kernel[1] === 7 ? [STEM_TILE] : [];
  const calls = [...stem, ...tilesFor(TILES, traits)].map((tile) => tiledCall(gather, tile, traits));
  return calls.filter(({ product }) => product !== undefined && fits(product, traits));
}

/** What convolution-tiled.wgsl is composed with. */
export const tileLibraries = ({ rowsEach, columnsEach }: Tile): readonly Shader[] => [
  shaders.convolutionAxis,
  sumsOfRows(rowsEach, columnsEach / 4, ['storeRow', 'addRow', 'countRow']),
];

/**
 * What bringing a K-tile into workgroup memory takes, where source rows and, in the data gradient, weight rows are padded
 * by a vector.
 */
function staging(
  tile: Tile,
  pointwise: boolean,
  forward: boolean,
): Pick<TiledProduct, 'stagingOperations' | 'workgroupBytes'> {
  const { rows, columns, depth } = tile;
  const vectors = (rows * depth) / 4 / invocations(tile);
  const blocks = (depth * columns) / 16 / invocations(tile);
  return {
    stagingOperations: vectors * (pointwise ? 6 : 14) + blocks * (forward || pointwise ? 10 : 30),
    workgroupBytes: 4 * (rows * (depth + 4) + depth * (columns + (forward ? 0 : 4))),
  };
}

/** The same of a plain product of matrices. */
export const pointwiseStaging = (tile: Tile): Pick<TiledProduct, 'stagingOperations' | 'workgroupBytes'> =>
  staging(tile, true, true);

function tiledCall(gather: Gather, tile: Tile, traits: AdapterTraits): KernelCall {
  const { shape, forward, element, target } = gather;
  const pointwise = isPointwise(shape);
  // The taps of a row are a run of so many numbers, in each phase.
  const isWhole = tapsOfPhases(shape, 1, gather.phases[1]).every(
    (taps) => (taps * gather.sourceChannels) % tile.depth === 0,
  );
  const isInside = pointwise || (forward && shape.padding.every((size) => size === 0));
  return productCall(gather, tile, traits, {
    name: 'tiled',
    shader: (whole): Code => ({
      shader: shaders.convolutionTiled,
      libraries: tileLibraries(tile),
      features: element === 'f16' ? ['f16'] : [],
      constants: {
        WHOLE: isWhole,
        INSIDE: isInside,
        Scalar: element,
        Target: whole ? target : 'f32',
        BATCHED: false,
        ...tileConstants(tile),
        UNROLLED: traits.kind === 'gpu',
      },
    }),
    ...staging(tile, pointwise, forward),
  });
}

/** A shader with its own constants. */
type Code = Pick<Dispatch, 'shader' | 'libraries' | 'features' | 'constants'>;

/** How the products of a tile are done, whatever it is a tile of. */
export interface Multiplication extends Pick<TiledProduct, 'stagingOperations' | 'workgroupBytes' | 'matrix'> {
  readonly name: string;
  /** What runs where the destination is `whole`, or one of the parts of a sum. */
  shader(whole: boolean): Code;
}

/** A gather by tiles, its reduction split where the grid would leave a GPU idle. */
export function productCall(
  { shape, epilogue, ...gather }: Gather,
  tile: Tile,
  traits: AdapterTraits,
  { name, shader, ...multiplication }: Multiplication,
): KernelCall {
  const { sourceChannels, destinationChannels, phases, pixels, operands, order, element, target } = gather;
  const phaseCount = phases[0] * phases[1];
  const kTilesOfPhases = tapsOfPhases(shape, 0, phases[0]).flatMap((tapsY) =>
    tapsOfPhases(shape, 1, phases[1]).map((tapsX) => tapsY * ceilDivide(tapsX * sourceChannels, tile.depth)),
  );
  const mostKTiles = Math.max(...kTilesOfPhases);
  const tilesOfPhase = ceilDivide(pixels, tile.rows) * ceilDivide(destinationChannels, tile.columns);
  const wanted = chooseSplitK(tilesOfPhase * phaseCount, mostKTiles, WANTED_WORKGROUPS, FEWEST_K_TILES);
  const kTilesPerSplit = ceilDivide(mostKTiles, wanted);
  const splitK = ceilDivide(mostKTiles, kTilesPerSplit);

  const [source, weights, destination, scale, shift, residual] = order;
  const results = operands[destination].length;
  const whole = splitK === 1;
  const { constants, ...code } = shader(whole);
  const launch = (sizes: ConvolutionSizes, pixelsOfSlice: number): Dispatch =>
    withParameters(
      { ...sizes, kTilesPerSplit, depth: tile.depth },
      {
        ...code,
        constants: {
          ...(whole ? gather.flags : { ...gather.flags, AFFINE: false, RESIDUAL: false, RELU: false }),
          POINTWISE: isPointwise(shape),
          ...constants,
        },
        // What an unused binding is bound to must not be bound a second time.
        operands: [source, weights, whole ? destination : 'partialSums', scale, shift, residual],
        workgroups: [
          ...gridOf(ceilDivide(pixelsOfSlice, tile.rows) * ceilDivide(destinationChannels, tile.columns), traits),
          phaseCount * splitK,
        ],
      },
    );
  // The parts lie one behind the other, each of all images: only few images are split, and they need no slices.
  const sliced = gather.byImages(launch);
  const multiply: Dispatch = whole ? sliced : { ...sliced, slices: undefined };
  const finish = {
    target,
    channels: destinationChannels,
    flags: gather.flags,
    operands: [scale, shift, residual],
  };
  const isPlain = epilogue === undefined && target === 'f32';
  const addPartials = addPartialSums(destination, results, splitK, isPlain ? undefined : finish);
  return {
    variant: `${name} ${tileName(tile)}${whole ? '' : `, split-K ${splitK}`}`,
    operands: whole ? operands : { ...operands, ...partialSumsOf(splitK, results) },
    dispatches: whole ? [multiply] : [multiply, addPartials],
    product: {
      tile,
      tiles: tilesOfPhase * phaseCount,
      splitK,
      kTiles: kTilesOfPhases.reduce((sum, kTiles) => sum + kTiles, 0) / phaseCount / splitK,
      ...multiplication,
      results,
      elementBytes: elementBytes(element),
    },
  };
}

/** x and y of a grid that the shader reads as one number. */
function gridOf(count: number, traits: AdapterTraits): [number, number] {
  const [x, y] = foldGrid(count, traits.maxWorkgroupsPerDimension);
  return [x, y];
}
