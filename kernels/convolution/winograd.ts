import type { AdapterTraits } from '../contract/adapter-traits.ts';
import type { Dispatch, Shader } from '../contract/dispatch.ts';
import { ceilDivide, foldGrid } from '../contract/grid.ts';
import { fits } from '../contract/tiles.ts';
import * as shaders from '../../shaders/generated/shaders.ts';
import type { Cost, KernelCall, Operand } from '../kernel.ts';
import { algorithmsInOrder, schemesInOrder, type Algorithm } from '../select.ts';
import type { BlockStyle } from '../reduction/row-blocks.ts';
import type { Gather } from './gather.ts';
import { pointwiseStaging } from './gpu/tiles.ts';
import { PRODUCT_TILES, tiledScheme } from './gpu/winograd-product.ts';
import { directTime, timesOf, weightStationaryScheme, winogradTime } from './software/winograd-product.ts';
import { errorBound } from './winograd-error.ts';
import { problemOf, roundUp, type ProductScheme, type Tile, type WinogradProblem } from './winograd-problem.ts';

/** Scratch above this is more than WebGPU's smallest limit allows to bind. */
const LARGEST_SCRATCH = 2 ** 27 / 4;

/** Whether the algorithm applies. */
export function isWinograd(kernel: readonly number[], stride: readonly number[], padding: readonly number[]): boolean {
  return (
    kernel.every((size) => size === 3) && stride.every((step) => step === 1) && padding.every((pixels) => pixels <= 2)
  );
}

/**
 * The variants by Winograd's minimal filtering: transform weights (the prepacking) and tiles of the source, multiply
 * them as (TILE + 2)^2 matrix products, transform back. Put before or behind the direct variants, as this adapter
 * prefers.
 */
export function withWinograd(
  direct: readonly KernelCall[],
  gather: Gather,
  cost: Cost,
  traits: AdapterTraits,
): readonly KernelCall[] {
  const problem = problemOf(gather);
  const { operands } = gather;
  const times = timesOf(traits);
  const winograd = ([4, 2] as const).map((tile): Algorithm => ({
    calls: productSchemes(problem, traits).flatMap(
      (scheme) => winogradCall(problem, tile, scheme, operands, traits) ?? [],
    ),
    isUnordered: true,
    softwareTime: winogradTime(problem, tile, times, traits.prepackedWeights === true),
  }));
  return algorithmsInOrder([{ calls: direct, softwareTime: directTime(problem, times) }, ...winograd], cost, traits);
}

function productSchemes({ source, destination }: WinogradProblem, traits: AdapterTraits): readonly ProductScheme[] {
  const lanes = traits.subgroupSize;
  const weightStationary =
    lanes === 4 || lanes === 8 ? [weightStationaryScheme(lanes, source.channels, destination.channels)] : [];
  const tiled = PRODUCT_TILES.filter((tile) => fits({ tile, ...pointwiseStaging(tile) }, traits)).map((tile) =>
    tiledScheme(tile, traits),
  );
  return schemesInOrder(traits, tiled, weightStationary);
}

function winogradCall(
  problem: WinogradProblem,
  tile: Tile,
  scheme: ProductScheme,
  operands: Readonly<Record<string, Operand>>,
  traits: AdapterTraits,
): KernelCall | undefined {
  const { batch, source, destination, padding, dataGradient, affine, residual, relu, names } = problem;
  const side = tile + 2;
  const frequencies = side * side;
  const tilesY = ceilDivide(destination.height, tile);
  const tilesX = ceilDivide(destination.width, tile);
  const tiles = batch * tilesY * tilesX;
  const depth = roundUp(source.channels, scheme.depthMultiple);
  const columns = roundUp(destination.channels, scheme.columnMultiple);
  const scratch = (length: number): Operand => ({ role: 'scratch', type: 'f32', length });
  const transformed = {
    transformedWeights: scratch(frequencies * depth * columns),
    transformedSource: scratch(frequencies * tiles * depth),
    product: scratch(frequencies * tiles * columns),
  };
  if (Object.values(transformed).some(({ length }) => length > LARGEST_SCRATCH)) return undefined;

  const sizes = { TILE: tile, SIDE: side };
  const sizesOfProduct = { batch: frequencies, rows: tiles, depth, columns };
  const bytesOf = (...partialSums: readonly Operand[]): number =>
    4 * partialSums.reduce((sum, { length }) => sum + length, 0);
  const product = scheme.product && {
    ...scheme.product(sizesOfProduct),
    laidOut: {
      from: bytesOf(operands[names.source], operands.w),
      to: bytesOf(transformed.transformedSource, transformed.transformedWeights),
      before: traits.prepackedWeights === true ? bytesOf(operands.w, transformed.transformedWeights) : 0,
    },
    finished: { from: bytesOf(transformed.product), to: bytesOf(operands[names.destination]) },
  };
  const grid = (invocations: number): readonly [number, number, number] => foldGrid(ceilDivide(invocations, 64));
  const weightGrid = grid(depth * columns);
  const sourceGrid = grid(tiles * depth);
  const destinationGrid = grid(tiles * destination.channels);
  return {
    variant: `winograd ${tile}x${tile} ${scheme.name}`,
    operands: { ...operands, ...transformed },
    prepacking: 1,
    dispatches: [
      {
        shader: shaders.winogradWeights,
        constants: { DATA_GRADIENT: dataGradient, ...sizes },
        parameters: [
          source.channels,
          destination.channels,
          depth,
          columns,
          scheme.blocked ? scheme.columnMultiple : columns,
          weightGrid[0],
        ],
        operands: ['w', 'transformedWeights'],
        workgroups: weightGrid,
      },
      {
        shader: shaders.winogradInput,
        constants: sizes,
        parameters: [
          tiles,
          tilesY,
          tilesX,
          source.height,
          source.width,
          source.channels,
          depth,
          ...padding,
          sourceGrid[0],
        ],
        operands: [names.source, 'transformedSource'],
        workgroups: sourceGrid,
      },
      scheme.dispatch(sizesOfProduct),
      {
        shader: shaders.winogradOutput,
        libraries: [WITHOUT_STATISTICS],
        constants: { AFFINE: affine, RESIDUAL: residual, RELU: relu, ...sizes },
        parameters: [
          tiles,
          tilesY,
          tilesX,
          destination.height,
          destination.width,
          destination.channels,
          columns,
          destinationGrid[0],
          0,
          0,
          0,
        ],
        operands: ['product', names.destination, 'scale', 'shift', 'residual'],
        workgroups: destinationGrid,
      },
    ],
    errorBound: (inputs) => ({ [names.destination]: errorBound(problem, tile, inputs) }),
    product,
  };
}

/** Nothing is done with the pixels but to store them: the statistics stay out of what inference loads. */
const WITHOUT_STATISTICS: Shader = { name: 'no statistics', source: 'fn takeIn(column: vec4f, height: u32) {}\n' };

/** Invocations of a workgroup of winograd-output.wgsl. */
const OUTPUT_WORKGROUP_SIZE = 64;
/** Tiles that an invocation reduces before others put its result together, and pixels where it works alone. */
const SHARED_TILES_A_LANE = 2;
const OWN_PIXELS_A_LANE = 128;

/** Blocks of tiles, of as many pixels each except the last. */
interface TileBlocks {
  readonly blocks: number;
  readonly rowsPerBlock: number;
}

/**
 * A call whose last dispatch also reduces the pixels that it stores, to `partials`: of blocks of tiles, for `combine`
 * of batch-norm-statistics.wgsl. Undefined where the call is none of Winograd's.
 */
export function withStatistics(
  { dispatches }: KernelCall,
  { sharedRows, columnInvocations: mostColumnLanes }: BlockStyle,
): { readonly blocks: TileBlocks; readonly dispatches: readonly Dispatch[] } | undefined {
  const output = dispatches[dispatches.length - 1];
  if (output.shader !== shaders.winogradOutput) return undefined;
  const tile = Number(output.constants?.TILE);
  const [tiles, tilesY, tilesX, height, width, channels] = (output.parameters ?? []).map(Number);
  const columnInvocations = Math.min(channels, mostColumnLanes);
  const tileLanes = Math.floor(OUTPUT_WORKGROUP_SIZE / columnInvocations);
  // Whole rows of tiles have as many pixels wherever they are, unless the image ends within one; whole images always
  // have.
  const unit =
    height % tile === 0 ? { tiles: tilesX, pixels: tile * width } : { tiles: tilesX * tilesY, pixels: height * width };
  const units = sharedRows
    ? ceilDivide(SHARED_TILES_A_LANE * tileLanes, unit.tiles)
    : ceilDivide(OWN_PIXELS_A_LANE, unit.pixels);
  const blocks = ceilDivide(tiles, units * unit.tiles);
  const withPartials: Dispatch = {
    ...output,
    entryPoint: 'with_statistics',
    libraries: [shaders.moments, shaders.winogradStatistics],
    constants: { ...output.constants, Element: 'f32', SHARED_ROWS: sharedRows },
    parameters: [...(output.parameters ?? []).slice(0, -3), columnInvocations, units * unit.tiles, blocks],
    operands: [...output.operands, 'partials'],
    workgroups: [ceilDivide(channels, columnInvocations), ceilDivide(blocks, sharedRows ? 1 : tileLanes), 1],
  };
  return {
    blocks: { blocks, rowsPerBlock: units * unit.pixels },
    dispatches: [...dispatches.slice(0, -1), withPartials],
  };
}
