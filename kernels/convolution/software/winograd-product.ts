import type { AdapterTraits } from '../../contract/adapter-traits.ts';
import { ceilDivide } from '../../contract/grid.ts';
import * as shaders from '../../../shaders/generated/shaders.ts';
import { FACTORS, roundUp, tilesOf, type ProductScheme, type Tile, type WinogradProblem } from '../winograd-problem.ts';

/**
 * Estimates for processors that calculate in software, by the lanes of a vector; the unit is a vector's multiply-add in
 * a weight-stationary product. Fitted to SwiftShader (4 lanes) and lavapipe (8), see docs/kernels/convolution/winograd.md. Both prefer the
 * weight-stationary blocks for a direct convolution, where channels are multiples of four.
 */
interface Times {
  /** A multiply-add of the direct convolution, which looks at the bounds of what it loads. */
  readonly direct: number;
  /** A load or store of the transforms. */
  readonly memory: number;
  /** To bring a vector of weights into a weight-stationary block. */
  readonly block: number;
}
const LAVAPIPE: Times = { direct: 1.15, memory: 32, block: 33 };
const SWIFTSHADER: Times = { direct: 1.4, memory: 12, block: 16 };
export const timesOf = ({ subgroupSize }: AdapterTraits): Times => (subgroupSize === 4 ? SWIFTSHADER : LAVAPIPE);

const BLOCK_ROWS = 512;
const weightStationaryTime = (rows: number, { block }: Times): number => rows + block * ceilDivide(rows, BLOCK_ROWS);

/** Each tap is a product over the pixels that it meets; padding is left out. */
export function directTime({ batch, source, destination, padding }: WinogradProblem, times: Times): number {
  const met = (axis: 0 | 1, sourceSize: number, size: number): number =>
    [0, 1, 2].reduce(
      (sum, tap) =>
        sum + Math.max(0, Math.min(size, sourceSize + padding[axis] - tap) - Math.max(0, padding[axis] - tap)),
      0,
    );
  const products = batch * met(0, source.height, destination.height) * met(1, source.width, destination.width);
  const blocks = 9 * times.block * ceilDivide(batch * destination.height * destination.width, BLOCK_ROWS);
  return source.channels * destination.channels * (times.direct * products + blocks);
}

/** @param prepacked the weights' transforms are there already */
export function winogradTime(
  { batch, source, destination }: WinogradProblem,
  tile: Tile,
  times: Times,
  prepacked: boolean,
): number {
  const frequencies = (tile + 2) ** 2;
  const tiles = batch * tilesOf(destination, tile);
  const weights = source.channels * destination.channels;
  const transforms =
    (prepacked ? 0 : (9 + frequencies) * weights) +
    tiles * (2 * frequencies * source.channels + (frequencies + tile * tile) * destination.channels);
  return frequencies * weights * weightStationaryTime(tiles, times) + times.memory * transforms;
}

export function weightStationaryScheme(lanes: number, depth: number, columns: number): ProductScheme {
  const blockDepth = depth > 32 ? 64 : depth > 16 ? 32 : 4 * lanes;
  const laneColumns = columnsOfLane(lanes, columns);
  return {
    name: `weight-stationary ${blockDepth}x${lanes * laneColumns}`,
    depthMultiple: blockDepth,
    columnMultiple: lanes * laneColumns,
    blocked: true,
    dispatch: (sizes) => ({
      shader: shaders.batchedMatrixProductWeightStationary,
      features: ['subgroups'],
      constants: { LANES: lanes, DEPTH: blockDepth, WIDE: laneColumns > 4 },
      parameters: [sizes.rows, sizes.depth, sizes.columns, BLOCK_ROWS, blockDepth],
      operands: FACTORS,
      workgroups: [ceilDivide(sizes.rows, BLOCK_ROWS), sizes.columns / (lanes * laneColumns), sizes.batch],
    }),
  };
}

/** The columns of a lane, 8 unless 4 fill up the last block less. */
function columnsOfLane(lanes: number, columns: number): number {
  return roundUp(columns, 8 * lanes) === roundUp(columns, 4 * lanes) ? 8 : 4;
}
